import { HoldfastError } from '../core/errors.ts';
import type { LostEntries, SnapshotRoot } from '../core/snapshot-record.ts';

/** A tree's lost parts as its root's map has them: `[first path, path behind it or null, number of entries or null]` each. */
export function encodeLostEntries(root: SnapshotRoot): { lost?: unknown } {
  if (root.kind !== 'tree' || root.lost === undefined) return {};
  return {
    lost: root.lost.map(({ from, until, entries }) => [
      Buffer.from(from, 'latin1'),
      until === undefined ? null : Buffer.from(until, 'latin1'),
      entries ?? null,
    ]),
  };
}

/** @throws HoldfastError `object-damaged` */
export function decodeLostEntries(
  map: Readonly<Record<string, unknown>>,
  name: string,
): { lost?: readonly LostEntries[] } {
  if (map.lost === undefined) return {};
  if (!Array.isArray(map.lost)) throw malformed(name);
  return { lost: map.lost.map((part) => toLostEntries(part, name)) };
}

function toLostEntries(part: unknown, name: string): LostEntries {
  if (!Array.isArray(part) || part.length !== 3) throw malformed(name);
  const [from, until, entries] = part as unknown[];
  if (!(from instanceof Uint8Array) || (until !== null && !(until instanceof Uint8Array))) throw malformed(name);
  if (entries !== null && !(typeof entries === 'number' && Number.isSafeInteger(entries) && entries >= 0))
    throw malformed(name);
  return {
    from: Buffer.from(from).toString('latin1'),
    ...(until === null ? {} : { until: Buffer.from(until).toString('latin1') }),
    ...(entries === null ? {} : { entries }),
  };
}

function malformed(name: string): HoldfastError {
  return new HoldfastError('damaged', 'object-damaged', `${name} does not say properly which part of a tree is lost.`, {
    details: { object: name },
  });
}
