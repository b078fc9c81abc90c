import { type Expression, type ExpressionBuilder, type ReferenceExpression, type SqlBool, sql } from 'kysely';

/** A condition that a column is one of some ids or begins with one of some prefixes (`shop-*`). */
export function matchesAny<DB, Table extends keyof DB>(
  builder: ExpressionBuilder<DB, Table>,
  column: ReferenceExpression<DB, Table>,
  patterns: readonly string[],
): Expression<SqlBool> {
  const reference = builder.ref(column as never);
  const conditions = patterns.map((pattern): Expression<SqlBool> => {
    if (!pattern.endsWith('*')) return sql<SqlBool>`${reference} = ${pattern}`;
    const prefix = pattern.slice(0, -1);
    // Compared piece by piece, not with LIKE: `_` and `%` may be part of an id.
    return sql<SqlBool>`substr(${reference}, 1, ${[...prefix].length}) = ${prefix}`;
  });
  return conditions.length === 0 ? sql<SqlBool>`1 = 0` : builder.or(conditions);
}
