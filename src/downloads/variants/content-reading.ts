import { HoldfastError } from '../../core/errors.ts';
import type { OpenVariantContent, VariantContent } from '../../core/ports/variant-maker.ts';
import type { ContentDialect, ContentSchema } from '../content/content-schema.ts';
import { SCHEMA_SIDECAR, schemaBytes, storedSchema } from '../content/stored-schema.ts';
import { tableContent } from '../content/table-contents.ts';
import { keptFacts } from './kept-facts.ts';

/** What a content is to a policy. */
export type ContentShape = { kind: 'tables'; dialect: ContentDialect } | { kind: 'document' } | { kind: 'files' };

/** @throws HoldfastError `variant-format-not-offered` (unsupported) */
export function shapeOf({ format, dialect }: Pick<VariantContent, 'format' | 'dialect'>): ContentShape {
  if (format === 'sql' && dialect !== undefined) return { kind: 'tables', dialect };
  if (format === 'sqlite') return { kind: 'tables', dialect: 'sqlite' };
  if (format === 'json') return { kind: 'document' };
  if (format === 'tar' || format === 'bytes') return { kind: 'files' };
  const message = `Variants cannot be had as ${format}. Ask for another format: sql, sqlite, json, tar.`;
  throw new HoldfastError('unsupported', 'variant-format-not-offered', message);
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
