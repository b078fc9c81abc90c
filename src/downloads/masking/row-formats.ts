import { createCopyRows } from '../content/postgresql/copy-rows.ts';
import { createInsertRows } from '../content/postgresql/insert-rows.ts';
import { createJsonPieces } from './json/json-pieces.ts';
import type { RowFormatMaker } from './row-format.ts';

/** How rows may be written, by the name that a content gives its blocks. Read by worker threads alone. */
export const ROW_FORMATS: ReadonlyMap<string, RowFormatMaker> = new Map([
  ['postgresql-copy', createCopyRows],
  ['postgresql-insert', createInsertRows],
  ['json-pieces', createJsonPieces],
]);
