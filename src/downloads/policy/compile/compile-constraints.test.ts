import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compiled, schemaOf, table } from '../../../../test/policy-rig.ts';
import type { ContentSchema, TableSchema } from '../../content/content-schema.ts';
import { RowMasker } from '../../masking/row-masker.ts';

type Row = (string | null)[];
type Data = ReadonlyMap<string, readonly Row[]>;

const COLUMNS = ['w', 'x', 'y'];
const index = fc.nat(2);
const key = fc.tuple(index, fc.uniqueArray(index, { minLength: 1, maxLength: 2 }), fc.boolean());
const link = fc.tuple(
  index,
  fc.uniqueArray(index, { minLength: 1, maxLength: 2 }),
  index,
  fc.uniqueArray(index, { minLength: 2, maxLength: 2 }),
);

const schemas = fc
  .record({
    nullable: fc.array(
      fc.array(
        fc.integer({ min: 0, max: 3 }).map((chance) => chance > 0),
        { minLength: 3, maxLength: 3 },
      ),
      {
        minLength: 3,
        maxLength: 3,
      },
    ),
    keys: fc.array(key, { maxLength: 3 }),
    links: fc.array(link, { maxLength: 2 }),
  })
  .map(({ nullable, keys, links }): ContentSchema => {
    const names = (columns: readonly number[]) => columns.map((column) => COLUMNS[column]!);
    return schemaOf(
      ...nullable.map((facts, at) =>
        table(`t${at}`, Object.fromEntries(facts.map((isNullable, column) => [COLUMNS[column]!, { isNullable }])), {
          uniqueKeys: keys
            .filter(([of]) => of === at)
            .map(([, columns, wantsPrimary], number) => ({
              name: `key${number}`,
              columns: names(columns),
              isPrimary: wantsPrimary && columns.every((column) => facts[column] === false),
              isExpression: false,
            })),
          foreignKeys: links
            .filter(([of]) => of === at)
            .map(([, columns, target, targets], number) => ({
              name: `link${number}`,
              columns: names(columns),
              target: `t${target}`,
              targetColumns: names(targets.slice(0, columns.length)),
            })),
        }),
      ),
    );
  });

const rows = fc.array(
  fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'A', ' a', '', null), { minLength: 3, maxLength: 3 }), {
    maxLength: 12,
  }),
  { minLength: 3, maxLength: 3 },
);
const rules = fc.constantFrom<unknown>(
  'keep',
  'keep',
  'hash',
  'hash',
  'first_name',
  null,
  'p.hash',
  'token',
  undefined,
  undefined,
);
const policies = fc.array(fc.array(rules, { minLength: 3, maxLength: 3 }), { minLength: 3, maxLength: 3 });

/** Of the values of columns; undefined where one of them is NULL. */
function tupleOf(row: Row, of: TableSchema, columns: readonly string[]): string | undefined {
  const values = columns.map((name) => row[of.columns.findIndex((column) => column.name === name)]);
  return values.includes(null) ? undefined : JSON.stringify(values);
}

/** The rows that hold every constraint. */
function validPart(schema: ContentSchema, data: Data): Data {
  let part = data;
  for (;;) {
    const next = new Map(schema.tables.map((of) => [of.name, validRows(of, schema, part)]));
    if (schema.tables.every(({ name }) => next.get(name)?.length === part.get(name)?.length)) return part;
    part = next;
  }
}

function validRows(of: TableSchema, schema: ContentSchema, data: Data): Row[] {
  const seen = of.uniqueKeys.map(() => new Set<string>());
  const targets = of.foreignKeys.map(({ target, targetColumns }) => {
    const other = schema.tables.find(({ name }) => name === target)!;
    return new Set(data.get(target)!.map((row) => tupleOf(row, other, targetColumns)));
  });
  return data.get(of.name)!.filter((row) => {
    if (of.columns.some(({ isNullable }, at) => !isNullable && row[at] === null)) return false;
    const leadsSomewhere = of.foreignKeys.every(({ columns }, at) => {
      const tuple = tupleOf(row, of, columns);
      return tuple === undefined || targets[at]!.has(tuple);
    });
    if (!leadsSomewhere) return false;
    const tuples = of.uniqueKeys.map(({ columns }) => tupleOf(row, of, columns));
    if (tuples.some((tuple, at) => tuple !== undefined && seen[at]!.has(tuple))) return false;
    for (const [at, tuple] of tuples.entries()) if (tuple !== undefined) seen[at]!.add(tuple);
    return true;
  });
}

test('rows that hold every constraint hold every constraint when they are masked by a plan', () => {
  let masked = 0;
  fc.assert(
    fc.property(schemas, rows, policies, (schema, values, chosen) => {
      const named = Object.fromEntries(
        schema.tables.map(({ name, columns, foreignKeys }, at) => {
          const rule = (column: string, index: number) =>
            chosen[at]![index] === undefined && !foreignKeys.some((of) => of.columns.includes(column))
              ? 'hash'
              : chosen[at]![index];
          const written = columns.map((column, index) => [column.name, rule(column.name, index)] as const);
          return [name, { columns: Object.fromEntries(written.filter(([, form]) => form !== undefined)) }];
        }),
      );
      const domains = { 'p.hash': { transform: 'hash', normalise: ['trim', 'lower'] } };
      const { plan } = compiled(`domains: ${JSON.stringify(domains)}\ntables: ${JSON.stringify(named)}\n`, schema);
      if (plan?.content.kind !== 'tables') return;
      const data = validPart(schema, new Map(schema.tables.map(({ name }, at) => [name, values[at]!])));
      const given = new Map(
        plan.content.tables.map((of) => {
          const masker = new RowMasker(of, COLUMNS, new Uint8Array(32).fill(7));
          const after = data.get(of.table)!.map((row) => {
            const copy = [...row];
            masker.mask(copy);
            return copy;
          });
          return [of.table, after];
        }),
      );
      for (const [name, kept] of validPart(schema, given)) {
        assert.equal(kept.length, data.get(name)?.length, name);
        masked += kept.length;
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(masked > 300, `only ${masked} rows were masked`);
});
