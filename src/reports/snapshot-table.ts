import { formatBytes, formatMoment } from './report-text.ts';
import { type Column, printable, tableLines } from './table.ts';

/** A snapshot as lists for people show it. */
export interface SnapshotLine {
  id: string;
  resource: string;
  createdAt: string;
  size: number | null;
  formats: readonly string[];
  variants: readonly { name: string; state: string }[];
  proven: { drillId: string; at: string } | null;
  url: string;
  command: string;
}

export interface SnapshotLines {
  snapshots: readonly SnapshotLine[];
  /** More of them. */
  nextUrl: string | undefined;
}

const COLUMNS: readonly Column<SnapshotLine>[] = [
  { heading: 'RESOURCE', value: ({ resource }) => resource },
  { heading: 'CREATED', value: ({ createdAt }) => formatMoment(createdAt) },
  { heading: 'SIZE', value: ({ size }) => (size === null ? '?' : formatBytes(size)), align: 'right' },
  { heading: 'FORMATS', value: ({ formats }) => formats.join(',') },
  { heading: 'VARIANTS', value: ({ variants }) => variants.map(({ name }) => name).join(',') },
  { heading: 'PROVEN RESTORABLE', value: ({ proven }) => (proven === null ? 'not yet' : formatMoment(proven.at)) },
  { heading: 'BACKUP', value: ({ id }) => id },
];

/** What may be downloaded as aligned text for a terminal, with a line to copy. */
export function snapshotTable({ snapshots, nextUrl }: SnapshotLines): string {
  const [newest] = snapshots;
  if (newest === undefined) return 'There is nothing that you may download.\n';
  return `${[
    ...tableLines(COLUMNS, snapshots),
    '',
    `Get the first one:  ${printable(newest.command)}`,
    'Without ?backup= it is always the newest one of its resource.',
    ...(nextUrl === undefined ? [] : [`There are more:  ${printable(nextUrl)}`]),
  ].join('\n')}\n`;
}
