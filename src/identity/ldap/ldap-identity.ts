import { readFile } from 'node:fs/promises';
import { type Entry, FilterParser, ResultCodeError } from 'ldapts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { principalByRules } from '../../core/grant-rules.ts';
import type { GrantRule, LdapConfiguration } from '../../core/identity-configuration.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { IdentityProvider } from '../../core/ports/identity-provider.ts';
import type { Logger } from '../../core/ports/logger.ts';
import { guessKey, isWrittenName, normalUserName } from '../../core/user-name.ts';
import { VerifiedPasswords } from '../../core/verified-passwords.ts';
import { type DirectoryAddress, withDirectory } from './directory-connection.ts';
import { filterFor } from './filter.ts';
import { groupsByMembership, groupsBySearch } from './groups.ts';

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
  const addresses: DirectoryAddress[] = ldap.urls.map((url) => ({
    ...ldap,
    url,
    ...(authorities === undefined ? {} : { authorities }),
  }));
  const verified = new VerifiedPasswords<Found>(clock, ldap.cacheSeconds * 1000);
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
        found = await lookUp(addresses, { ...parts, bindPassword, name, password });
        if (found === undefined) return 'unrecognised';
        verified.add(words, found);
        logger.debug({ name: found.name }, 'the directory knows the password');
      }
      return principalByRules(rules, { method: 'ldap', ...found }, clock.now());
    },
  };
}

type LookUp = LdapIdentityParts & { bindPassword: string | undefined; name: string; password: string };

async function lookUp(addresses: readonly DirectoryAddress[], look: LookUp): Promise<Found | undefined> {
  let cause: unknown;
  for (const address of addresses) {
    try {
      return await lookUpAt(address, look);
    } catch (error) {
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
    const { groups } = ldap;
    const wanted = [ldap.users.name, ...(groups === undefined || groups.filter !== undefined ? [] : [groups.memberOf])];
    let entries: readonly Entry[];
    try {
      const filter = filterFor(ldap.users.filter, { name });
      const result = await client.search(ldap.users.base, { filter, scope: 'sub', sizeLimit: 2, attributes: wanted });
      entries = result.searchEntries;
    } catch (error) {
      if (!(error instanceof ResultCodeError) || error.code !== SIZE_LIMIT_EXCEEDED) throw error;
      entries = [];
      look.logger.warn({ name }, 'the directory knows several users by one name, so none of them is let in');
    }
    const [entry, ...more] = entries;
    if (more.length > 0)
      look.logger.warn({ name }, 'the directory knows several users by one name, so none of them is let in');
    // Nobody has an empty name: a bind with it would succeed for everybody.
    if (entry === undefined || more.length > 0 || entry.dn === '') return undefined;
    const known = nameOf(entry, ldap.users.name, name);
    if (known === undefined) return undefined;
    const found =
      groups === undefined
        ? []
        : groups.filter === undefined
          ? groupsByMembership(valuesOf(entry, groups.memberOf), groups.base)
          : await groupsBySearch(client, groups, { dn: entry.dn, name: known });
    try {
      await client.bind(entry.dn, password);
    } catch (error) {
      if (error instanceof ResultCodeError && REFUSALS.has(error.code)) return undefined;
      throw error;
    }
    return { name: normalUserName(known), groups: found };
  });
}

/** As the directory writes it, not as the caller did. Of several names, the one that was shown. */
function nameOf(entry: Entry, attribute: string, shown: string): string | undefined {
  const values = valuesOf(entry, attribute).filter(isWrittenName);
  return values.length === 1 ? values[0] : values.find((value) => guessKey(value) === guessKey(shown));
}

function valuesOf(entry: Entry, attribute: string): string[] {
  const found = Object.entries(entry).find(([name]) => name.toLowerCase() === attribute.toLowerCase())?.[1];
  return [found ?? []].flat().map(String);
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
