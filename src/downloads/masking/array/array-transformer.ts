import { z } from 'zod';
import type { TypeFamily } from '../../content/content-schema.ts';
import type { Rule } from '../../variant-plan.ts';
import type { ColumnFacts, Transformer } from '../transformer.ts';
import { rewriteArray } from './array-literal.ts';

/** Once compiled, `each` is a Rule. */
const options: z.ZodType<{ each?: unknown }> = z.strictObject({
  each: z.unknown().refine((rule) => rule !== undefined, 'must be a rule'),
});

/** `array`: each element of a PostgreSQL array by one rule, at any depth. */
export const arrayTransformer: Transformer<z.infer<typeof options>> = {
  name: 'array',
  description: 'Applies a rule to each element of an array of PostgreSQL. NULL stays NULL.',
  options,
  shorthand: 'each',
  facts: () => ({ accepts: ['array'], isInjective: false, mayGiveNull: false, isTraceable: false }),
  nested: {
    of: ({ each }, column) => {
      const { family, type } = elementFacts(column);
      return [{ where: 'each', rule: each, families: [family], type }];
    },
    with: (_, [each]) => ({ each }),
  },
  create: ({ each }, { inner, column }) => {
    const change = inner(each as Rule, elementFacts(column));
    // The compiler has refused such a rule.
    if (change === undefined) throw new TypeError('The rule of an array does not take its elements.');
    return (value, row) => rewriteArray(value, (element) => change(element, row));
  },
};

/** Elements of composite, enumerated and other types that are not known here are `other`, which hardly any rule takes. */
function elementFacts(column: ColumnFacts): ColumnFacts {
  const type = column.type.replace(/(?:\s*\[\d*\])+$/, '');
  const [, name = '', length] = TYPE.exec(type) ?? [];
  const family = FAMILIES.get(name) ?? 'other';
  const facts: ColumnFacts = { family, type, isNullable: true };
  return family === 'text' && length !== undefined ? { ...facts, maxLength: Number(length) } : facts;
}

const TYPE = /^(.*?)\s*(?:\((\d+)(?:,\s*-?\d+)?\))?( with(?:out)? time zone)?$/;
const FAMILIES: ReadonlyMap<string, TypeFamily> = new Map<string, TypeFamily>([
  ...['text', 'character varying', 'varchar', 'character', 'char', 'bpchar', 'name', 'citext', 'public.citext'].map(
    family('text'),
  ),
  ...['smallint', 'integer', 'bigint', 'int', 'int2', 'int4', 'int8'].map(family('integer')),
  ...['numeric', 'decimal', 'real', 'double precision', 'float4', 'float8'].map(family('numeric')),
  ...['boolean', 'bool'].map(family('boolean')),
  ...['date'].map(family('date')),
  ...['timestamp', 'timestamptz'].map(family('timestamp')),
  ...['time', 'timetz'].map(family('time')),
  ...['interval'].map(family('interval')),
  ...['uuid'].map(family('uuid')),
  ...['json', 'jsonb'].map(family('json')),
  ...['bytea'].map(family('bytes')),
  ...['inet', 'cidr'].map(family('inet')),
  ...['macaddr', 'macaddr8'].map(family('mac')),
  ...['xml'].map(family('xml')),
]);

function family(of: TypeFamily): (name: string) => readonly [string, TypeFamily] {
  return (name) => [name, of];
}
