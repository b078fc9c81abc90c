import { HoldfastError } from '../../../core/errors.ts';
import type { JsonPiecesOptions } from '../../masking/json/json-pieces.ts';
import { type ContentPart, type MaskingPoolOptions, maskedContent } from '../../masking/masking-pool.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import type { RowSource } from '../../masking/row-format.ts';
import type { JsonPlan, TablePlan } from '../../variant-plan.ts';

/** The name under which a document's counts stand. */
export const DOCUMENT = 'document';

/**
 * Masks a content that is one JSON document. It streams through one worker thread, whatever its size; a single string may have 64 Mi characters. `run.counts` gets one entry,
 * `document`, of one row.
 * @throws HoldfastError `variant-failed` (invalid), without anything of the document: no JSON (RFC 8259), nested deeper than 1,000, or a rule failed
 */
export function maskDocument(
  bytes: AsyncIterable<Uint8Array>,
  run: MaskingRun,
  options?: MaskingPoolOptions,
): AsyncGenerator<Uint8Array> {
  const { content } = run.plan;
  if (content.kind !== 'document') {
    throw new HoldfastError('internal', 'variant-plan-of-other-content', 'The plan is not one for a document.');
  }
  const plan = { ...run.plan, content: { kind: 'tables' as const, tables: [documentTable(DOCUMENT)] } };
  // A document is one thing: another thread could not go on where this one has stopped.
  const { selection: _, ...rest } = run;
  const rows = jsonRows(content.json, DOCUMENT, 'json-pieces', run.key);
  return maskedContent(jsonParts(bytes, rows), { ...rest, plan, threads: 1 }, options);
}

/** Where the pieces of documents come from; with a masking pool of one thread they may come one document after another. */
export function jsonRows(
  json: JsonPlan,
  name: string,
  format: 'json-pieces' | 'json-lines',
  key: Uint8Array,
): RowSource {
  const options: JsonPiecesOptions = { json, key };
  return { table: name, columns: [DOCUMENT], format, isOneText: format === 'json-pieces', options };
}

/** The masking pool knows tables; the rules of the document are with its format. */
export function documentTable(table: string): TablePlan {
  const rule = { transformer: 'keep', options: {}, domain: 'keep', normalise: [] };
  return { table, fate: 'rows', columns: [{ column: DOCUMENT, rule, family: 'json', isNullable: false }] };
}

/** One document as the parts that a masking pool takes. */
export async function* jsonParts(bytes: AsyncIterable<Uint8Array>, rows: RowSource): AsyncGenerator<ContentPart> {
  const held: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; at += LONGEST_PIECE) {
      const piece = chunk.subarray(at, at + LONGEST_PIECE);
      length += piece.length;
      held.push(piece);
      if (length < SHORTEST_PIECE) continue;
      yield { rows, bytes: joined(held.splice(0), length) };
      length = 0;
    }
  }
  if (length > 0) yield { rows, bytes: joined(held, length) };
  yield { rows, bytes: new Uint8Array(0) };
}

/** In memory of its own, which the pool may take. */
function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

const SHORTEST_PIECE = 256 << 10;
const LONGEST_PIECE = 1 << 20;
