import type { Client, Entry } from 'ldapts';
import type { LdapConfiguration } from '../../core/identity-configuration.ts';
import { filterFor } from './filter.ts';

type GroupSettings = NonNullable<LdapConfiguration['groups']>;

const MOST_GROUPS = 2000;

/**
 * Groups by the user's own attribute: each by its whole name, and those below the configured base by their short names too. Elsewhere in
 * the directory others may make groups of the same short name.
 */
export function groupsByMembership(memberOf: readonly string[], base: string): string[] {
  return memberOf.slice(0, MOST_GROUPS).flatMap((dn) => {
    const short = isBelow(dn, base) ? shortName(dn) : undefined;
    return short === undefined ? [dn] : [dn, short];
  });
}

/** Groups that name the user as their member. */
export async function groupsBySearch(
  client: Client,
  groups: GroupSettings,
  user: { dn: string; name: string },
): Promise<string[]> {
  const { searchEntries } = await client.search(groups.base, {
    filter: filterFor(groups.filter ?? '', user),
    scope: 'sub',
    attributes: [groups.name],
    sizeLimit: MOST_GROUPS,
  });
  return searchEntries.flatMap((entry) => [entry.dn, ...valuesOf(entry, groups.name)]);
}

/** Of an attribute, whose name directories write in any case. */
export function valuesOf(entry: Entry, attribute: string): string[] {
  const found = Object.entries(entry).find(([name]) => name.toLowerCase() === attribute.toLowerCase())?.[1];
  return [found ?? []].flat().map(String);
}

function isBelow(dn: string, base: string): boolean {
  const [below, above] = [partsOf(dn), partsOf(base)];
  return below.length > above.length && above.every((part, at) => part === below[below.length - above.length + at]);
}

function partsOf(dn: string): string[] {
  return (dn.match(/(\\.|[^,\\])+/g) ?? []).map((part) =>
    part
      .trim()
      .replace(/\s*=\s*/, '=')
      .toLowerCase(),
  );
}

/** The value of the first part of a name: `ops` of `cn=ops,ou=groups`; undefined for parts of several values or escapes. */
function shortName(dn: string): string | undefined {
  return /^\s*[A-Za-z0-9.-]+\s*=\s*([^,+\\"]+?)\s*(,|$)/.exec(dn)?.[1];
}
