import { readFile } from 'node:fs/promises';
import { type Client, type Entry, FilterParser, ResultCodeError } from 'ldapts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { principalByRules } from '../../core/grant-rules.ts';
import type { GrantRule, LdapConfiguration } from '../../core/identity-configuration.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { IdentityProvider } from '../../core/ports/identity-provider.ts';
import type { Logger } from '../../core/ports/logger.ts';
import { Seldom } from '../../core/seldom.ts';
import { guessKey, isWrittenName, normalUserName } from '../../core/user-name.ts';
import { VerifiedPasswords } from '../../core/verified-passwords.ts';
import { type DirectoryAddress, withDirectory } from './directory-connection.ts';
import { filterFor } from './filter.ts';
import { groupsByMembership, groupsBySearch, valuesOf } from './groups.ts';

export interface LdapIdentityParts {
  ldap: LdapConfiguration;
  rules: readonly GrantRule[];
  resolveSecret: (reference: string) => Promise<string>;
  clock: Clock;
  logger: Logger;
}

interface Found {
  name: string;
  groups: readonly string[];
}

/** Says of a bind that name and password do not go together, or that the account may not be used (RFC 4511 appendix A). */
const REFUSALS = new Set([19, 48, 49, 50, 53]);
const SIZE_LIMIT_EXCEEDED = 4;

/** Strangers must not fill the log while a directory is down. */
const MILLISECONDS_BETWEEN_LINES = 1000;

/** Connections to directories at once; a slow one must not gather more. */
const MOST_LOOK_UPS = 32;

/**
 * People whom an LDAP directory knows: they are searched for by name, and then bound with their password. What was right is remembered
 * for some minutes.
 *
 * @throws HoldfastError `configuration-invalid`, `secret-missing` (invalid); `identify` throws `directory-unavailable` (unavailable):
 * a directory that does not answer has not said that a password is wrong
 */
export async function createLdapIdentity(parts: LdapIdentityParts): Promise<IdentityProvider> {
  const { ldap, rules, clock, logger } = parts;
  requireUsableFilters(ldap);
  const authorities = ldap.caFile === undefined ? undefined : await authoritiesOf(ldap.caFile);
  const bindPassword = ldap.bindPassword === undefined ? undefined : await parts.resolveSecret(ldap.bindPassword);
  // The one that answered last comes first: one that is gone must not cost its time at each sign-in.
  const addresses: DirectoryAddress[] = ldap.urls.map((url) => ({
    ...ldap,
    url,
    ...(authorities === undefined ? {} : { authorities }),
  }));
  const verified = new VerifiedPasswords<Found>(clock, ldap.cacheSeconds * 1000);
  const lines = new Seldom(clock, MILLISECONDS_BETWEEN_LINES);
  let lookUps = 0;
  const looked = async (name: string, password: string) => {
    if (lookUps >= MOST_LOOK_UPS) throw busy();
    lookUps++;
    try {
      return await lookUp(addresses, { ...parts, lines, bindPassword, name, password });
    } finally {
      lookUps--;
    }
  };
  return {
    method: 'ldap',
    async identify(credentials) {
      if (credentials.kind !== 'password') return 'unrecognised';
      const { name, password } = credentials;
      // Without a password a bind succeeds for everybody (RFC 4513 section 5.1.2).
      if (password === '' || password.includes('\0') || !isWrittenName(name)) return 'unrecognised';
      const words = [name, password];
      let found = verified.find(words);
      if (found === undefined) {
        found = await looked(name, password);
        if (found === undefined) return 'unrecognised';
        verified.add(words, found);
        logger.debug({ name: found.name }, 'the directory knows the password');
      }
      return principalByRules(rules, { method: 'ldap', ...found }, clock.now());
    },
  };
}

function busy(): HoldfastError {
  const message = 'Too many callers sign in at this moment. Try again in a second.';
  return new HoldfastError('too-many', 'sign-in-busy', message, { details: { retryAfterSeconds: 1 } });
}

type LookUp = LdapIdentityParts & {
  lines: Seldom;
  bindPassword: string | undefined;
  name: string;
  password: string;
};

async function lookUp(addresses: DirectoryAddress[], look: LookUp): Promise<Found | undefined> {
  let cause: unknown;
  for (const address of [...addresses]) {
    try {
      const found = await lookUpAt(address, look);
      addresses.sort((one, other) => Number(other === address) - Number(one === address));
      return found;
    } catch (error) {
      if (look.lines.may(address.url))
        look.logger.warn({ reason: messageOf(error), url: address.url }, 'a directory could not be asked');
      cause = error;
    }
  }
  throw new HoldfastError(
    'unavailable',
    'directory-unavailable',
    'The directory that knows names and passwords cannot be asked at this moment, so nobody knows whether yours are right. Try again later, or use a token; the log says why.',
    { cause },
  );
}

async function lookUpAt(address: DirectoryAddress, look: LookUp): Promise<Found | undefined> {
  const { ldap, name, password, bindPassword } = look;
  return withDirectory(address, async (client) => {
    if (ldap.bindDn !== undefined && bindPassword !== undefined) await client.bind(ldap.bindDn, bindPassword);
    const entry = await onlyEntry(client, look);
    const known = entry === undefined ? undefined : nameOf(entry, ldap.users.name, name);
    if (entry === undefined || known === undefined) return undefined;
    // Before the bind: afterwards the user would be the one who looks.
    const groups = await groupsOf(client, ldap, entry, known);
    return (await isBound(client, entry.dn, password)) ? { name: normalUserName(known), groups } : undefined;
  });
}

async function onlyEntry(client: Client, { ldap, name, logger }: LookUp): Promise<Entry | undefined> {
  const { users, groups } = ldap;
  const attributes = groups === undefined ? [users.name] : [users.name, groups.memberOf];
  try {
    const filter = filterFor(users.filter, { name });
    const { searchEntries } = await client.search(users.base, { filter, scope: 'sub', sizeLimit: 2, attributes });
    // Nobody has an empty name: a bind with it would succeed for everybody.
    if (searchEntries.length <= 1) return searchEntries[0]?.dn === '' ? undefined : searchEntries[0];
  } catch (error) {
    if (!(error instanceof ResultCodeError) || error.code !== SIZE_LIMIT_EXCEEDED) throw error;
  }
  logger.warn({ name }, 'the directory knows several users by one name, so none of them is let in');
  return undefined;
}

async function groupsOf(client: Client, { groups }: LdapConfiguration, entry: Entry, name: string): Promise<string[]> {
  if (groups === undefined) return [];
  if (groups.filter !== undefined) return groupsBySearch(client, groups, { dn: entry.dn, name });
  return groupsByMembership(valuesOf(entry, groups.memberOf), groups.base);
}

async function isBound(client: Client, dn: string, password: string): Promise<boolean> {
  try {
    await client.bind(dn, password);
    return true;
  } catch (error) {
    if (error instanceof ResultCodeError && REFUSALS.has(error.code)) return false;
    throw error;
  }
}

/** As the directory writes it, not as the caller did. Of several names, the one that was shown. */
function nameOf(entry: Entry, attribute: string, shown: string): string | undefined {
  const values = valuesOf(entry, attribute).filter(isWrittenName);
  return values.length === 1 ? values[0] : values.find((value) => guessKey(value) === guessKey(shown));
}

function requireUsableFilters({ users, groups }: LdapConfiguration): void {
  for (const [setting, filter] of [
    ['users.filter', users.filter],
    ['groups.filter', groups?.filter],
  ] as const) {
    if (filter === undefined) continue;
    try {
      FilterParser.parseString(filterFor(filter, { name: 'x', dn: 'x' }));
      // The library does not mind what is missing at the end.
      if (filter.split('(').length !== filter.split(')').length) throw new Error('its parentheses do not match');
    } catch (cause) {
      const message = `The setting \`identity.ldap.${setting}\` is no filter by RFC 4515: ${messageOf(cause)}. Write it without blanks between parentheses.`;
      throw new HoldfastError('invalid', 'configuration-invalid', message, { cause });
    }
  }
}

async function authoritiesOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const message = `The file ${file} of \`identity.ldap.ca\` cannot be read: ${messageOf(cause)}.`;
    throw new HoldfastError('invalid', 'configuration-invalid', message, { cause });
  }
}
