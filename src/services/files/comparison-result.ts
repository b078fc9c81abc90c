import type { ByteString } from '../../core/tree-entry.ts';

/**
 * `entries`: something is missing or of another type; `content`: other bytes; `metadata`: mode or time; `attributes`: owners and
 * extended attributes, which not every user and file system can give.
 */
export type DifferenceKind = 'entries' | 'content' | 'metadata' | 'attributes';

export interface Differences {
  count: number;
  /** The first ones. */
  told: string[];
}

export interface ComparisonResult {
  /** Entries of the tree, and those of them that were restored as what they are. */
  entries: number;
  found: number;
  files: number;
  bytes: number;
  differences: Record<DifferenceKind, Differences>;
  /** Names of files with several names, and what each one is on the disk. */
  links: { path: ByteString; group: string; file: string }[];
}

const MOST_TOLD = 50;

export function emptyComparison(): ComparisonResult {
  const none = (): Differences => ({ count: 0, told: [] });
  const differences = { entries: none(), content: none(), metadata: none(), attributes: none() };
  return { entries: 0, found: 0, files: 0, bytes: 0, differences, links: [] };
}

export function addDifference({ differences }: ComparisonResult, kind: DifferenceKind, what: string): void {
  const { [kind]: found } = differences;
  found.count++;
  if (found.told.length < MOST_TOLD) found.told.push(what);
}

export function addComparison(sum: ComparisonResult, part: ComparisonResult): void {
  for (const key of ['entries', 'found', 'files', 'bytes'] as const) sum[key] += part[key];
  for (const kind of Object.keys(sum.differences) as DifferenceKind[]) {
    const { count, told } = part.differences[kind];
    for (const what of told) addDifference(sum, kind, what);
    sum.differences[kind].count += count - told.length;
  }
  sum.links.push(...part.links);
}
