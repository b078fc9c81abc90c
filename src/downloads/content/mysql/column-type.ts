import type { TypeFamily } from '../content-schema.ts';

/** What a type of MySQL or MariaDB is. */
export interface ColumnType {
  family: TypeFamily;
  /** Characters. */
  maxLength?: number;
  /** Values are bytes and no text, however they are written. */
  isBinary: boolean;
}

const INTEGER: ColumnType = { family: 'integer', isBinary: false };
const NUMERIC: ColumnType = { family: 'numeric', isBinary: false };
const BYTES: ColumnType = { family: 'bytes', isBinary: true };
const TEXT: ColumnType = { family: 'text', isBinary: false };
const GEOMETRY: ColumnType = { family: 'geometry', isBinary: true };

const TYPES: ReadonlyMap<string, ColumnType> = new Map<string, ColumnType>([
  ...['tinyint', 'smallint', 'mediumint', 'int', 'integer', 'bigint', 'year', 'bool', 'boolean', 'serial'].map(
    (name): [string, ColumnType] => [name, INTEGER],
  ),
  ...['decimal', 'numeric', 'dec', 'fixed', 'float', 'double', 'real', 'number'].map((name): [string, ColumnType] => [
    name,
    NUMERIC,
  ]),
  ...['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob', 'bit', 'vector', 'raw'].map(
    (name): [string, ColumnType] => [name, BYTES],
  ),
  ...['char', 'varchar', 'nchar', 'nvarchar', 'varchar2', 'text', 'mediumtext', 'longtext', 'character', 'clob'].map(
    (name): [string, ColumnType] => [name, TEXT],
  ),
  ...['geometry', 'point', 'linestring', 'polygon', 'multipoint', 'multilinestring', 'multipolygon'].map(
    (name): [string, ColumnType] => [name, GEOMETRY],
  ),
  ['geometrycollection', GEOMETRY],
  ['geomcollection', GEOMETRY],
  ['tinytext', { family: 'text', maxLength: 255, isBinary: false }],
  ['date', { family: 'date', isBinary: false }],
  ['datetime', { family: 'timestamp', isBinary: false }],
  ['timestamp', { family: 'timestamp', isBinary: false }],
  ['time', { family: 'time', isBinary: false }],
  ['json', { family: 'json', isBinary: false }],
  ['enum', { family: 'enum', isBinary: false }],
  ['set', { family: 'other', isBinary: false }],
  ['uuid', { family: 'uuid', isBinary: false }],
  ['inet4', { family: 'inet', isBinary: false }],
  ['inet6', { family: 'inet', isBinary: false }],
  ['xmltype', { family: 'xml', isBinary: false }],
]);

const CHARACTERS = new Set(['char', 'varchar', 'nchar', 'nvarchar', 'varchar2', 'character']);

/**
 * @param name The type's first word, in lower case
 * @param length The number in parentheses behind it
 */
export function columnType(name: string, length: number | undefined): ColumnType {
  const type = TYPES.get(name) ?? { family: 'other', isBinary: false };
  if (!CHARACTERS.has(name)) return type;
  return { ...type, maxLength: length ?? 1 };
}
