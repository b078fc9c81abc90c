/**
 * A condition on one row, evaluated without a database on the text that each value has in a dump. It is plain data, so that it can be hashed and
 * sent to a worker thread. A comparison with NULL is neither true nor false, as in SQL; a row is meant only where the whole is true.
 */
export type Predicate =
  | { kind: 'and' | 'or'; of: readonly Predicate[] }
  | { kind: 'not'; of: Predicate }
  | { kind: 'compare'; column: string; operator: '=' | '!=' | '<' | '<=' | '>' | '>='; value: string | number }
  | { kind: 'in'; column: string; values: readonly (string | number)[] }
  | { kind: 'between'; column: string; low: string | number; high: string | number }
  | { kind: 'null'; column: string }
  | { kind: 'like'; column: string; pattern: string; ignoresCase: boolean };
