import type { ColumnFacts } from './transformer.ts';

/** What a plan or a schema says of a column that its transformer must know. */
export function columnFacts(
  column: {
    [Fact in keyof ColumnFacts]?: ColumnFacts[Fact] | undefined;
  } & Pick<ColumnFacts, 'family' | 'isNullable'>,
): ColumnFacts {
  const { family, type = '', isNullable, maxLength, allowedValues } = column;
  return {
    family,
    type,
    isNullable,
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(allowedValues === undefined ? {} : { allowedValues }),
  };
}
