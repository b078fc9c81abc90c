import { type ContentPart, type MaskingPoolOptions, maskedContent } from '../../masking/masking-pool.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import type { ContentSchema } from '../content-schema.ts';
import type { RowScan, TableContent } from '../table-content.ts';
import { scanArchive } from './archive-scanner.ts';
import { ArchiveSieve, type SiftedRows } from './archive-sieve.ts';
import { decoded } from './definition.ts';
import { dumpPieces } from './dump-pieces.ts';
import { DumpRewriter } from './dump-rewriter.ts';
import { DumpScanner } from './dump-scanner.ts';
import { insertHead } from './insert-head.ts';
import { defaultColumns } from './row-columns.ts';
import { SchemaReader } from './schema-reader.ts';
import { refusal, statementKind } from './statement-kind.ts';
import { unreadable } from './unreadable.ts';

/**
 * Plain SQL of pg_dump and pg_restore. In a variant are only kinds of statements that are known; left out are the contents of large objects, COMMENT ON, comments that
 * pg_dump does not write, subscriptions, publications, statistics, and BEGIN and COMMIT.
 */
export function createPostgresqlContent(options: MaskingPoolOptions = {}): TableContent {
  return {
    schema: readSchema,
    scan: (bytes, scan, signal) => scanRows(bytes, scan, signal),
    rewrite: (bytes, run) => maskedContent(parts(bytes, run), run, options),
    scanArchive,
    rewriteArchive: (archive, run, places) => {
      const sieve = new ArchiveSieve(run, places);
      const sql = archive.sqlOf((source) => sieve.sifted(source));
      return maskedContent(parts(sql, run, sieve.rows), run, options);
    },
  };
}

async function readSchema(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ContentSchema> {
  const schema = new SchemaReader();
  for await (const pieces of dumpPieces(bytes, signal))
    for (const piece of pieces) {
      if (piece.kind !== 'statement') continue;
      if (piece.copy !== undefined) {
        const name = schema.nameOf(piece.copy.table.map(decoded));
        schema.noteRows(name, piece.copy.columns?.map(decoded) ?? []);
        continue;
      }
      const kind = statementKind(piece.bytes, piece.firstWord);
      if (kind === 'unknown' || kind === 'commented') throw unreadable(refusal(piece.bytes, kind));
      if (kind === 'kept') schema.read(piece.bytes, piece.firstWord);
      if (kind === 'insert') noteInsert(schema, piece.bytes);
    }
  return schema.schema();
}

function noteInsert(schema: SchemaReader, statement: Buffer): void {
  const { table, columns } = insertHead(statement);
  const name = schema.nameOf(table);
  const known = schema.table(name);
  if (known === undefined) schema.noteRows(name, columns ?? []);
  else if (columns === undefined && defaultColumns(known, true).length === 0 && known.isOfRows)
    throw unreadable(`it has rows of table "${name}" without a definition of it`);
}

async function scanRows(bytes: AsyncIterable<Uint8Array>, scan: RowScan, signal: AbortSignal): Promise<void> {
  const scanner = new DumpScanner(scan);
  for await (const pieces of dumpPieces(bytes, signal)) for (const piece of pieces) scanner.piece(piece);
  scanner.end();
}

async function* parts(
  bytes: AsyncIterable<Uint8Array>,
  run: MaskingRun,
  sifted?: SiftedRows,
): AsyncGenerator<ContentPart> {
  const rewriter = new DumpRewriter(run, sifted);
  for await (const pieces of dumpPieces(bytes, run.signal)) for (const piece of pieces) yield* rewriter.parts(piece);
  yield* rewriter.end();
}
