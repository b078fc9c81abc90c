import { formatBytes, formatMoment } from './report-text.ts';
import { type Column, printable, tableLines } from './table.ts';

/** A snapshot as lists for people show it. */
export interface SnapshotLine {
  id: string;
  resource: string;
  createdAt: string;
  size: number | null;
  formats: readonly string[];
  variants: readonly {
    name: string;
    state: string;
    url: string;
    reason?: string | undefined;
    size?: number | undefined;
  }[];
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
  { heading: 'VARIANTS', value: ({ variants }) => variants.map(variantWords).join(',') },
  { heading: 'PROVEN RESTORABLE', value: ({ proven }) => (proven === null ? 'not yet' : formatMoment(proven.at)) },
  { heading: 'BACKUP', value: ({ id }) => id },
];

/** `masked`, `small (ready)`, `tiny (blocked)`: what is made while it is downloaded needs no word. */
function variantWords({ name, state }: SnapshotLine['variants'][number]): string {
  return state === 'on-demand' ? name : `${name} (${state})`;
}

/** What may be downloaded as aligned text for a terminal, with a line to copy. */
export function snapshotTable({ snapshots, nextUrl }: SnapshotLines): string {
  const [newest] = snapshots;
  if (newest === undefined) return 'There is nothing that you may download.\n';
  return `${[
    ...tableLines(COLUMNS, snapshots),
    '',
    `Get the first one:  ${printable(newest.command)}`,
    'Without ?backup= it is always the newest one of its resource.',
    ...blockedLines(snapshots),
    ...(nextUrl === undefined ? [] : [`There are more:  ${printable(nextUrl)}`]),
  ].join('\n')}\n`;
}

/** Why variants of the newest snapshots cannot be had; each reason once. */
function blockedLines(snapshots: readonly SnapshotLine[]): string[] {
  const lines = snapshots.flatMap(({ resource, variants }) =>
    variants.flatMap(({ name, reason }) =>
      reason === undefined ? [] : [`${printable(resource)}, ${printable(name)}: ${printable(reason)}`],
    ),
  );
  return [...new Set(lines)].slice(0, MOST_REASONS);
}

const MOST_REASONS = 10;
