import { freeMemory } from '../../../core/freed-memory.ts';
import { type ContentPart, maskedContent } from '../../masking/masking-pool.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import type { ContentSchema } from '../content-schema.ts';
import type { RowScan, TableContent } from '../table-content.ts';
import { dumpPieces } from './dump-pieces.ts';
import { DumpRewriting } from './dump-rewriting.ts';
import { DumpScan } from './dump-scan.ts';
import { dumpStatement } from './dump-statement.ts';
import { DumpTables } from './dump-tables.ts';
import { insertHeader } from './insert-header.ts';
import { asUnreadable } from './unreadable.ts';

/** Dumps of MySQL and MariaDB as SQL, by mysqldump, mariadb-dump and what writes alike. */
export function createMysqlContent(): TableContent {
  return { schema, scan, rewrite: (bytes, run) => maskedContent(partsOf(bytes, run), run) };
}

async function schema(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ContentSchema> {
  const tables = new DumpTables();
  for await (const pieces of dumpPieces(bytes, signal)) {
    for (const piece of pieces) {
      if (piece.kind !== 'statement') continue;
      try {
        const said = dumpStatement(piece.bytes, piece.firstWord, piece.delimiter);
        tables.read(piece.bytes, said);
        if (said.kind !== 'rows') continue;
        tables.columnsOf(insertHeader(piece.bytes));
        if (piece.isJoined) freeMemory(piece.bytes);
      } catch (error) {
        throw asUnreadable(error);
      }
    }
  }
  return tables.schema();
}

async function scan(bytes: AsyncIterable<Uint8Array>, rows: RowScan, signal: AbortSignal): Promise<void> {
  const visits = new DumpScan(rows);
  for await (const pieces of dumpPieces(bytes, signal)) for (const piece of pieces) visits.piece(piece);
  visits.end();
}

async function* partsOf(bytes: AsyncIterable<Uint8Array>, run: MaskingRun): AsyncGenerator<ContentPart> {
  const rewriting = new DumpRewriting(run);
  for await (const pieces of dumpPieces(bytes, run.signal)) for (const piece of pieces) yield* rewriting.piece(piece);
  yield* rewriting.end();
}
