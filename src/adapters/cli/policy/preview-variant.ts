import type { PreviewedTable, VariantPreview } from '../../../core/ports/policy-workshop.ts';
import { printable, tableLines } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { count } from '../formatting.ts';
import { type ContentOptions, chosenContent } from './chosen-content.ts';

export interface PreviewOptions extends ContentOptions {
  table?: string[];
  rows: number;
}

/** Characters of a value in a table of the terminal. */
const WIDEST = 40;

export async function previewVariant(
  session: CommandSession,
  { resourceId, variant }: { resourceId: string; variant: string },
  { table: tables, rows, ...chosen }: PreviewOptions,
): Promise<void> {
  const workshop = await session.composition.policyWorkshop(await session.configuration({ logLevel: 'silent' }));
  const { content } = await chosenContent(session, resourceId, chosen);
  const { snapshotId } = content;
  session.deed = {
    action: 'variant.preview',
    subject: resourceId,
    details: { variant, snapshotId, rows },
  };
  const request = { variant, rows, ...(tables === undefined ? {} : { tables }) };
  const preview = await workshop.preview(content, request, session.signal);
  session.output.result({ snapshotId, ...preview }, () => previewLines(preview));
}

function previewLines({ tables, document }: VariantPreview): string[] {
  if (document !== undefined) return document.split('\n').map(printable);
  const withSizes = tables.filter(({ size }) => size !== undefined);
  return [
    ...tables.flatMap((table) => [...shownTable(table), '']),
    ...(withSizes.length === 0 ? [] : sizeLines(withSizes)),
  ];
}

function shownTable({ table, fate, columns, rows, size, derived = [] }: PreviewedTable): string[] {
  const name = printable(table);
  if (fate !== 'rows') return [`${name}: ${fate === 'drop' ? 'left out' : 'without rows'}`];
  const many = size === undefined ? '' : `, ${size.rows} of ${count(size.of, 'row')}`;
  if (rows.length === 0) return [`${name}${many === '' ? ': no rows' : many}`];
  const cells = columns.map((heading, index) => ({
    heading: printable(heading),
    value: (row: PreviewedTable['rows'][number]) => cellOf(row[index], derived.includes(heading)),
  }));
  return [`${name}${many}`, ...tableLines(cells, rows).map((line) => `  ${line}`)];
}

function cellOf(value: string | null | undefined, isDerived: boolean): string {
  if (value === undefined) return isDerived ? '(derived)' : '(computed)';
  if (value === null) return 'NULL';
  return value.length <= WIDEST ? value : `${value.slice(0, WIDEST - 1)}…`;
}

function sizeLines(tables: readonly PreviewedTable[]): string[] {
  const share = ({ size }: PreviewedTable) =>
    size === undefined || size.of === 0 ? '' : `${((100 * size.rows) / size.of).toFixed(1)} %`;
  return tableLines<PreviewedTable>(
    [
      { heading: 'Table', value: ({ table }) => table },
      { heading: 'Rows', value: ({ size }) => String(size?.rows ?? ''), align: 'right' },
      { heading: 'Of', value: ({ size }) => String(size?.of ?? ''), align: 'right' },
      { heading: 'Share', value: share, align: 'right' },
    ],
    tables,
  );
}
