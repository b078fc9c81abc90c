/** What data a backup's content has, as far as a masking policy must speak of it. Names are decoded (UTF-8), as a person writes them. */
export interface ContentSchema {
  dialect: ContentDialect;
  /** In the order in which their definitions stand in the content. */
  tables: readonly TableSchema[];
}

export type ContentDialect = 'postgresql' | 'mysql' | 'sqlite' | 'csv';

export interface TableSchema {
  /** As a policy names it: `schema.table` in PostgreSQL, `table` elsewhere, the path within the backup for a CSV file. */
  name: string;
  /** In the order of their definition. */
  columns: readonly ColumnSchema[];
  /** The primary key first; unique constraints and unique indexes, EXCLUDE constraints too. Those over expressions have what columns they read, and `isExpression`. */
  uniqueKeys: readonly UniqueKey[];
  foreignKeys: readonly ForeignKey[];
  /** The table of which this one is a partition, or from which it inherits. */
  parent?: string;
  /** True for a partitioned table, which has no rows of its own. */
  isPartitioned: boolean;
  /** Why a policy can say nothing but `drop` for it, within a sentence. */
  dropOnly?: string;
}

export interface ColumnSchema {
  name: string;
  /** As the definition says it, in lower case, without constraints: `character varying(200)`, `int(11) unsigned`, `shop.mood[]`. */
  type: string;
  family: TypeFamily;
  /** Characters, where the type limits them. */
  maxLength?: number;
  isNullable: boolean;
  /** Computed by the database from other columns: rows of a dump hold nothing of it that is given (SQLite: it cannot be written). */
  isGenerated: boolean;
  /** The labels of an enumeration, or of a CHECK that lists the values. */
  allowedValues?: readonly string[];
}

export type TypeFamily =
  | 'text'
  | 'integer'
  | 'numeric'
  | 'boolean'
  | 'date'
  | 'timestamp'
  | 'time'
  | 'interval'
  | 'uuid'
  | 'json'
  | 'bytes'
  | 'array'
  | 'hstore'
  | 'enum'
  | 'inet'
  | 'mac'
  | 'xml'
  | 'search'
  | 'geometry'
  | 'other';

export interface UniqueKey {
  name: string;
  columns: readonly string[];
  isPrimary: boolean;
  isExpression: boolean;
}

export interface ForeignKey {
  name: string;
  columns: readonly string[];
  /** As in `TableSchema.name`. */
  target: string;
  /** The target's columns, in the order of `columns`; the target's primary key where the definition names none. */
  targetColumns: readonly string[];
}
