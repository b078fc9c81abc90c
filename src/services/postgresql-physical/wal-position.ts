import { HoldfastError } from '../../core/errors.ts';

/** A place in the WAL: the number of bytes before it. */
export type Lsn = bigint;

/** `16/B374D848`, as PostgreSQL writes it. @throws HoldfastError `wal-position-invalid` (invalid) */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (match !== null) return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
  throw new HoldfastError('invalid', 'wal-position-invalid', `"${text}" is no WAL position, such as 0/3000148.`);
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase();
}

/** The last of some positions. */
export function lastOf(first: Lsn, ...others: readonly Lsn[]): Lsn {
  let last = first;
  for (const other of others) if (other > last) last = other;
  return last;
}

/** The name of the file that holds a position: timeline, and the segment's number in two halves. */
export function segmentName(timeline: number, lsn: Lsn, segmentBytes: number): string {
  const number = lsn / BigInt(segmentBytes);
  const each = 0x1_0000_0000n / BigInt(segmentBytes);
  return hexadecimal(timeline) + hexadecimal(number / each) + hexadecimal(number % each);
}

export const historyName = (timeline: number): string => `${hexadecimal(timeline)}.history`;

/** Where the segment of a name begins. */
export function segmentStart(name: string, segmentBytes: number): { timeline: number; start: Lsn } {
  const part = (from: number): bigint => BigInt(`0x${name.slice(from, from + 8)}`);
  const number = part(8) * (0x1_0000_0000n / BigInt(segmentBytes)) + part(16);
  return { timeline: Number(part(0)), start: number * BigInt(segmentBytes) };
}

export const startOfSegment = (lsn: Lsn, segmentBytes: number): Lsn => lsn - (lsn % BigInt(segmentBytes));

/** What the names of files in `pg_wal` and in archives say. */
export type WalFileKind = 'segment' | 'partial-segment' | 'history' | 'backup-label';

const NAMES: readonly [WalFileKind, RegExp][] = [
  ['segment', /^[0-9A-F]{24}$/],
  ['partial-segment', /^[0-9A-F]{24}\.partial$/],
  ['history', /^[0-9A-F]{8}\.history$/],
  ['backup-label', /^[0-9A-F]{24}\.[0-9A-F]{8}\.backup$/],
];

/** @returns undefined for a name that no file of the WAL has */
export function kindOfWalFile(name: string): WalFileKind | undefined {
  return NAMES.find(([, pattern]) => pattern.test(name))?.[0];
}

/** A timeline that a server's history went through, and where it left it. */
export interface TimelineEnd {
  timeline: number;
  end: Lsn;
}

/** The lines of a timeline history file: `1<tab>0/3000148<tab>reason`, oldest first. */
export function parseHistory(text: string): TimelineEnd[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line);
    return match === null ? [] : [{ timeline: Number(match[1]), end: parseLsn(match[2] ?? '') }];
  });
}

function hexadecimal(number: number | bigint): string {
  return number.toString(16).toUpperCase().padStart(8, '0');
}
