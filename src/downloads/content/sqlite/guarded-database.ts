import { constants, DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

/** A value or statement that is longer is not read. Bytes. */
const LONGEST = 512 << 20;
const LIMITS = {
  length: LONGEST,
  sqlLength: 16 << 20,
  exprDepth: 1000,
  attach: 0,
  triggerDepth: 1,
  variableNumber: 32766,
};
const GUARDED = {
  defensive: true,
  allowExtension: false,
  enableForeignKeyConstraints: false,
  // Old definitions have strings in double quotes.
  enableDoubleQuotedStringLiterals: true,
  readBigInts: true,
  returnArrays: true,
};
/** Nothing that a database's own definitions say may reach beyond this connection, and no function with side effects. */
const CAREFUL = ['PRAGMA trusted_schema = OFF', 'PRAGMA cell_size_check = ON', 'PRAGMA mmap_size = 0'];

/**
 * Opens a database file of which nothing is trusted, to read it. `immutable`: no lock, no journal and no log beside it is looked at.
 */
export function openToRead(path: string): DatabaseSync {
  const place = pathToFileURL(path);
  place.searchParams.set('immutable', '1');
  const database = new DatabaseSync(place, {
    ...GUARDED,
    readOnly: true,
    limits: LIMITS,
  });
  for (const pragma of CAREFUL) database.exec(pragma);
  return database;
}

/**
 * A new database to write, with the other attached as `source`. What it becomes depends on what is written alone: nothing is journaled, no
 * page holds remains.
 */
export function openToWrite(
  path: string,
  source: string,
  { pageSize, encoding, autoVacuum }: { pageSize: bigint; encoding: string; autoVacuum: bigint },
): DatabaseSync {
  const database = new DatabaseSync(path, {
    ...GUARDED,
    limits: { ...LIMITS, attach: 1 },
  });
  for (const pragma of [...CAREFUL, 'PRAGMA secure_delete = ON', 'PRAGMA cache_size = -32768']) database.exec(pragma);
  database.exec(`PRAGMA page_size = ${pageSize}`);
  database.exec(`PRAGMA auto_vacuum = ${autoVacuum}`);
  // Before the other is attached, which must have the same.
  database.exec(`PRAGMA encoding = '${encoding.replaceAll("'", '')}'`);
  const place = pathToFileURL(source);
  place.searchParams.set('immutable', '1');
  place.searchParams.set('mode', 'ro');
  database.prepare('ATTACH DATABASE ? AS source').run(place.href);
  database.limits.attach = 0;
  return database;
}

/** Lets a definition of a hostile database do what definitions do, and nothing else. The test is made as a statement is prepared. */
export function allowDefinitionsOnly(database: DatabaseSync): void {
  database.setAuthorizer((action, first, _second, name) => {
    if (!DEFINING.has(action) || name === 'source') return constants.SQLITE_DENY;
    const writes = action === constants.SQLITE_INSERT || action === constants.SQLITE_UPDATE;
    return writes && first !== 'sqlite_master' ? constants.SQLITE_DENY : constants.SQLITE_OK;
  });
}

export function allowAll(database: DatabaseSync): void {
  database.setAuthorizer(null);
}

const DEFINING: ReadonlySet<number> = new Set([
  constants.SQLITE_CREATE_TABLE,
  constants.SQLITE_CREATE_INDEX,
  constants.SQLITE_CREATE_VIEW,
  constants.SQLITE_CREATE_TRIGGER,
  constants.SQLITE_REINDEX,
  constants.SQLITE_INSERT,
  constants.SQLITE_UPDATE,
  constants.SQLITE_READ,
  constants.SQLITE_SELECT,
  constants.SQLITE_FUNCTION,
]);
