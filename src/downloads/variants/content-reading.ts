import { DUMP_BEGINNING, dumpDialect } from '../../core/dump-dialect.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { SqlDialect } from '../../core/ports/service-download.ts';
import type { OpenVariantContent, VariantContent } from '../../core/ports/variant-maker.ts';
import type { ContentDialect, ContentSchema } from '../content/content-schema.ts';
import { SCHEMA_SIDECAR, schemaBytes, storedSchema } from '../content/stored-schema.ts';
import { tableContent } from '../content/table-contents.ts';
import { keptFacts } from './kept-facts.ts';

/** What a content is to a policy. */
export type ContentShape = { kind: 'tables'; dialect: ContentDialect } | { kind: 'document' } | { kind: 'files' };

/** @throws HoldfastError `variant-format-not-offered` (unsupported) */
export async function shapeOf(content: VariantContent, signal: AbortSignal): Promise<ContentShape> {
  const { format } = content;
  if (format === 'sql') return { kind: 'tables', dialect: content.dialect ?? (await dialectOf(content, signal)) };
  if (format === 'sqlite') return { kind: 'tables', dialect: 'sqlite' };
  if (format === 'json') return { kind: 'document' };
  if (format === 'tar' || format === 'bytes') return { kind: 'files' };
  const message = `Variants cannot be had as ${format}. Ask for another format: sql, sqlite, json, tar.`;
  throw new HoldfastError('unsupported', 'variant-format-not-offered', message);
}

/** Of what was piped into a backup, that it is SQL is told by whoever asks, and of which database by how it begins. */
async function dialectOf(content: VariantContent, signal: AbortSignal): Promise<ContentDialect> {
  const dialect = await withContent(content, { schemaOnly: true, signal }, async ({ material }) => material.dialect);
  if (dialect !== undefined) return dialect;
  throw new HoldfastError('unsupported', 'variant-format-not-offered', 'Of which database the SQL is, is not known.');
}

/** The tables of a content, as they were kept when somebody last read them. */
export async function schemaOf(
  content: VariantContent,
  dialect: ContentDialect,
  signal: AbortSignal,
): Promise<ContentSchema> {
  const known = await keptFacts(content, SCHEMA_SIDECAR, signal, async (bytes) => storedSchema(await whole(bytes)));
  if (known?.dialect === dialect) return known;
  const schema = await withContent(content, { schemaOnly: true, signal }, async ({ material }) =>
    (await tableContent(dialect)).schema(material.bytes(), signal),
  );
  await content.sidecars?.write(SCHEMA_SIDECAR, once(schemaBytes(schema)), signal);
  return schema;
}

/** Whose dump a content begins like, whatever it is asked for as. */
export async function beginsAs(content: VariantContent, signal: AbortSignal): Promise<SqlDialect | undefined> {
  const head = await withContent(content, { schemaOnly: false, signal }, ({ material }) => headOf(material.bytes()));
  return dumpDialect(head.toString('latin1'));
}

async function headOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of bytes) {
    parts.push(part.subarray(0, DUMP_BEGINNING - length));
    length += part.length;
    if (length >= DUMP_BEGINNING) break;
  }
  return Buffer.concat(parts);
}

export async function withContent<Result>(
  content: VariantContent,
  options: { schemaOnly: boolean; signal: AbortSignal },
  use: (opened: OpenVariantContent) => Promise<Result>,
): Promise<Result> {
  const opened = await content.open(options);
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

async function whole(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of bytes) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
