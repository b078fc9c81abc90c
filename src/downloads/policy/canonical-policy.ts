import { createHash } from 'node:crypto';
import type { MaskingPolicy } from './masking-policy.ts';

/**
 * A policy as one text: the same for two files that mean the same, however they are spelt, ordered and commented. Order counts where it means something: paths of JSON,
 * patterns of files, columns of a CSV file without a header, and whatever is nested within a transformer's options.
 */
function canonicalPolicy(policy: MaskingPolicy): string {
  const { document, files, ...rest } = policy;
  return canonicalJson({
    ...rest,
    document: document && { ...document, paths: document.paths.map(({ path, rule }) => [path, rule]) },
    files: files.map(({ csv, ...file }) => ({
      ...file,
      csv: csv && { ...csv, order: csv.hasHeader ? [] : [...csv.table.columns.keys()] },
    })),
  });
}

/** Hex, SHA-256 of the canonical form. Of the same object it is found out once: each listing and each download asks for it. */
export function policyHash(policy: MaskingPolicy): string {
  const known = HASHES.get(policy);
  if (known !== undefined) return known;
  const hash = createHash('sha256').update(canonicalPolicy(policy)).digest('hex');
  HASHES.set(policy, hash);
  return hash;
}

const HASHES = new WeakMap<MaskingPolicy, string>();

/** JSON with the members of objects and maps in the order of their names, but for those below `options`' own: what they are to a transformer only it knows. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (value instanceof Set) return [...value].map(ordered);
  if (value instanceof Map) return { map: sorted([...value]).map(([name, member]) => [name, ordered(member)]) };
  if (typeof value !== 'object' || value === null) return value;
  return sorted(Object.entries(value).filter(([, member]) => member !== undefined)).map(([name, member]) => [
    name,
    name === 'options' && isObject(member)
      ? sorted(Object.entries(member)).map(([option, set]) => [option, asWritten(set)])
      : ordered(member),
  ]);
}

/** Objects become lists of their members, so that two orders are two texts. */
function asWritten(value: unknown): unknown {
  if (Array.isArray(value)) return { list: value.map(asWritten) };
  if (isObject(value)) return { members: Object.entries(value).map(([name, member]) => [name, asWritten(member)]) };
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted<Member>(entries: readonly [string, Member][]): [string, Member][] {
  return entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
