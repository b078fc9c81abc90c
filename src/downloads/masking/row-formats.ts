import { createCsvRows } from '../content/files/csv-rows.ts';
import { createMysqlInsertRows } from '../content/mysql/insert-rows.ts';
import { createChosenCopyRows } from '../content/postgresql/chosen-copy-rows.ts';
import { createCopyRows } from '../content/postgresql/copy-rows.ts';
import { createInsertRows } from '../content/postgresql/insert-rows.ts';
import { createJsonLines } from './json/json-lines.ts';
import { createJsonPieces } from './json/json-pieces.ts';
import type { RowFormatMaker } from './row-format.ts';

/** How rows may be written, by the name that a content gives its blocks. Read by worker threads alone. */
export const ROW_FORMATS: ReadonlyMap<string, RowFormatMaker> = new Map([
  ['postgresql-copy', createCopyRows],
  ['postgresql-chosen-copy', createChosenCopyRows],
  ['postgresql-insert', createInsertRows],
  ['mysql-insert', createMysqlInsertRows],
  ['csv', createCsvRows],
  ['json-pieces', createJsonPieces],
  ['json-lines', createJsonLines],
]);
