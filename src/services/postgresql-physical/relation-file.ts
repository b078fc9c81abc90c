import type { ByteString } from '../../core/tree-entry.ts';

/** Blocks of 8 KiB in a file of a relation, as servers are built; a larger relation has several files, `.1` and so on. */
export interface RelationFile {
  /** Position of the file among those of its relation's fork. */
  part: number;
}

/** Whether a path of a data folder is that of pages of a table or an index, by the names that PostgreSQL gives them. */
export function relationFileAt(path: ByteString): RelationFile | undefined {
  const found = RELATION.exec(path);
  return found === null ? undefined : { part: Number(found[1] ?? 0) };
}

const FOLDER = String.raw`(?:global|base/\d+|pg_tblspc/\d+/PG_[^/]+/\d+)`;
const RELATION = new RegExp(String.raw`^${FOLDER}/(?:t\d+_)?\d+(?:_(?:fsm|vm|init))?(?:\.(\d+))?$`);
