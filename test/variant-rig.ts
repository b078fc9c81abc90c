import type { ContentSchema } from '../src/downloads/content/content-schema.ts';
import { createPostgresqlContent } from '../src/downloads/content/postgresql/postgresql-content.ts';
import type { MaskingRun } from '../src/downloads/masking/masking-run.ts';
import type { TablePlan } from '../src/downloads/variant-plan.ts';

const STAND_IN = new URL('./masking-stand-in-worker.ts', import.meta.url);

export const POSTGRESQL = createPostgresqlContent({ program: STAND_IN, longestBlock: 60_000 });
export const IMPATIENT_POSTGRESQL = createPostgresqlContent({ program: STAND_IN, longestBlock: 1_500 });

/** By table: its fate, or the transformers of those columns that have one. */
export type Wanted = Readonly<Record<string, TablePlan['fate'] | Readonly<Record<string, string>>>>;

export function tablesPlan({ tables }: ContentSchema, wanted: Wanted): TablePlan[] {
  return tables.map(({ name, columns }) => {
    const want = wanted[name] ?? {};
    return {
      table: name,
      fate: typeof want === 'string' ? want : 'rows',
      columns: columns.map(({ name: column, family, isNullable }) => ({
        column,
        rule: {
          transformer: (typeof want === 'string' ? undefined : want[column]) ?? 'keep',
          options: {},
          domain: '',
          normalise: [],
        },
        family,
        isNullable,
      })),
    };
  });
}

export function maskingRun(tables: readonly TablePlan[], more: Partial<MaskingRun> = {}): MaskingRun {
  return {
    plan: {
      variant: 'test',
      policyHash: '',
      epoch: '1',
      content: { kind: 'tables', tables },
      detectors: 'none',
    },
    key: new Uint8Array(32),
    threads: 1,
    signal: new AbortController().signal,
    counts: { tables: new Map() },
    ...more,
  };
}

/** Bytes in chunks of these sizes, by turns. */
export async function* chunked(bytes: Uint8Array, ...sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length] ?? bytes.length;
    yield bytes.slice(at, at + size);
    at += size;
  }
}

export async function collected(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

export async function schemaOf(dump: string | Buffer, content = POSTGRESQL): Promise<ContentSchema> {
  return content.schema(chunked(Buffer.from(dump), 1 << 16), new AbortController().signal);
}

/** The variant of a dump in UTF-8. */
export async function variantOf(
  dump: string | Buffer,
  wanted: Wanted,
  {
    sizes = [1 << 16],
    content = POSTGRESQL,
    ...more
  }: Partial<MaskingRun> & { sizes?: number[]; content?: typeof POSTGRESQL } = {},
) {
  const bytes = Buffer.from(dump);
  const run = maskingRun(tablesPlan(await schemaOf(bytes), wanted), more);
  const output = await collected(content.rewrite(chunked(bytes, ...sizes), run));
  return { bytes: output, text: output.toString(), counts: run.counts.tables, run };
}
