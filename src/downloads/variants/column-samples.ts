import type { VariantContent } from '../../core/ports/variant-maker.ts';
import type { ContentSchema } from '../content/content-schema.ts';
import { tableContent } from '../content/table-contents.ts';
import type { SchemaSamples } from '../policy/detectors/column-groups.ts';
import { ColumnSampler } from '../policy/detectors/column-sampler.ts';
import { withContent } from './content-reading.ts';

/** Values that are kept of all columns together: each may have 4096 characters. */
const MOST_VALUES = 50_000;
const FEWEST = 20;
const ENOUGH = 500;

/** Some values of each column, of the first rows of each table. The content is read to its end, because each table's rows may stand there. */
export async function columnSamples(
  content: VariantContent,
  { schema, rows, signal }: { schema: ContentSchema; rows: number; signal: AbortSignal },
): Promise<SchemaSamples> {
  const columnCount = schema.tables.reduce((sum, { columns }) => sum + columns.length, 0);
  const size = Math.min(ENOUGH, Math.max(FEWEST, Math.floor(MOST_VALUES / Math.max(1, columnCount))));
  const tables = new Map<string, { begun: Sampled; all: Map<string, ColumnSampler> }>();
  const reader = await tableContent(schema.dialect);
  await withContent(content, { schemaOnly: false, signal }, ({ material }) =>
    reader.scan(
      material.bytes(),
      {
        begin: (table, columns) => {
          const all = tables.get(table)?.all ?? new Map<string, ColumnSampler>();
          const begun = columns.map((column) => {
            const sampler = all.get(column) ?? new ColumnSampler(`${table} ${column}`, size);
            all.set(column, sampler);
            return sampler;
          });
          tables.set(table, { begun, all });
          return columns.map((_, index) => index);
        },
        row: (table, ordinal, values) => {
          if (ordinal >= rows) return;
          const samplers = tables.get(table)?.begun ?? [];
          for (const [index, value] of values.entries()) samplers[index]?.add(value === null ? null : apart(value));
        },
      },
      signal,
    ),
  );
  return new Map(
    [...tables].map(([table, { all }]) => [table, new Map([...all].map(([column, { sample }]) => [column, sample]))]),
  );
}

type Sampled = readonly ColumnSampler[];

/** A part of a longer string would keep the whole of it in memory. */
function apart(value: string): string {
  return Buffer.from(value.slice(0, 4096), 'utf16le').toString('utf16le');
}
