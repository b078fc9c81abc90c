import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compiled, ID, PRIMARY, policyOf, reference, schemaOf, table, unique } from '../../../../test/policy-rig.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { ContentPlan } from '../../variant-plan.ts';
import type { PolicyProblem } from './policy-problem.ts';

const users = table(
  'public.users',
  { id: ID, email: { isNullable: false }, name: { type: 'character varying(40)', maxLength: 40 } },
  { uniqueKeys: [PRIMARY, unique('email')] },
);
const orders = table(
  'public.orders',
  { id: ID, user_id: { ...ID, isNullable: true }, email: {} },
  {
    uniqueKeys: [PRIMARY],
    foreignKeys: [reference('user_id', 'public.users'), reference('email', 'public.users', 'email')],
  },
);
const shop = schemaOf(users, orders);

const USERS = '  public.users: { columns: { id: keep, email: email, name: name } }';
const POLICY = `tables:\n${USERS}\n  public.orders: { columns: { id: keep } }\n`;

function found(problems: readonly PolicyProblem[]): string[] {
  return problems.map(({ code, table: of, column }) =>
    [code, of, column].filter((part) => part !== undefined).join(' '),
  );
}

function rulesOf(content: ContentPlan | undefined): Record<string, Record<string, string>> {
  assert.equal(content?.kind, 'tables');
  return Object.fromEntries(
    content.tables.map(({ table: name, columns }) => [
      name,
      Object.fromEntries(columns.map(({ column, rule }) => [column, rule.transformer])),
    ]),
  );
}

test('a policy that names every column becomes a plan, and columns of foreign keys take the rules of their targets', () => {
  const { plan, problems } = compiled(POLICY, shop);
  assert.deepEqual(problems, []);
  assert.deepEqual(rulesOf(plan?.content), {
    'public.users': { id: 'keep', email: 'email', name: 'name' },
    'public.orders': { id: 'keep', user_id: 'keep', email: 'email' },
  });
  assert.equal(plan?.epoch, '1');
  assert.match(plan?.policyHash ?? '', /^[0-9a-f]{64}$/);
});

test('each column that the policy does not name is a problem that names it and suggests a rule', () => {
  const { plan, problems } = compiled('tables: { public.users: { columns: { id: keep } }, public.orders: drop }', shop);
  assert.equal(plan, undefined);
  assert.deepEqual(found(problems), ['column-not-named public.users email', 'column-not-named public.users name']);
  assert.match(problems[0]?.suggestion ?? '', /`email: email`/);
});

test('a table that the policy does not name stops the variant, unless the policy says that new tables have no rows', () => {
  assert.deepEqual(found(compiled(`tables:\n${USERS}\n`, shop).problems), ['table-not-named public.orders']);
  const { plan } = compiled(`defaults: { new_table: structure }\ntables:\n${USERS}\n`, shop);
  assert.equal(plan?.content.kind === 'tables' && plan.content.tables[1]?.fate, 'structure');
});

test('new columns become NULL where the policy says so, but never a NOT NULL one', () => {
  const policy =
    'defaults: { new_column: null }\ntables: { public.users: { columns: { id: keep } }, public.orders: drop }';
  assert.deepEqual(found(compiled(policy, shop).problems), ['null-not-allowed public.users email']);
});

test('what the policy names and the content does not have is a problem that guesses what it was renamed to', () => {
  const { problems } = compiled(
    'tables: { public.user: structure, public.orders: drop, log_*: drop, public.users: { columns: { id: keep, e_mail: email, name: name } } }',
    shop,
  );
  assert.deepEqual(found(problems), [
    'table-matches-nothing public.user',
    'table-matches-nothing log_*',
    'column-not-named public.users email',
    'column-matches-nothing public.users e_mail',
  ]);
  assert.match(problems[3]?.suggestion ?? '', /renamed to `email`/);
});

test('a table that the content does not have is meant by its name in some schema, or is told which there are', () => {
  const { problems } = compiled('tables: { users: structure, invoices: structure, public.orders: drop }', shop);
  const told = problems.filter(({ code }) => code === 'table-matches-nothing').map(({ suggestion }) => suggestion);
  assert.match(told[0] ?? '', /did you mean `public\.users`\?/);
  assert.match(told[1] ?? '', /Tables that the policy does not name: public\.users\.$/);
});

test('an option that a rule does not have is told with those that there are', () => {
  const messageOf = (rule: string) =>
    compiled(`tables: { t: { columns: { c: ${rule} } } }`, schemaOf(table('t', { c: {} }))).problems[0]?.message ?? '';
  assert.match(messageOf('{ email: { domian: x } }'), /cannot take: `domian` is no option of it; there are: .*domain/);
  assert.match(
    messageOf('{ lookup: { fil: x } }'),
    /`file`: expected string \(it is missing\)\. .*`fil` is no option of it/,
  );
});

test('the fate of tables may be given by patterns; the one with the most letters counts, and a name beats them all', () => {
  const logs = schemaOf(table('log_a', { x: {} }), table('log_big_b', { x: {} }), table('log_c', { x: {} }));
  const { plan } = compiled('tables: { log_*: structure, log_big_*: drop, log_c: { columns: { x: keep } } }', logs);
  assert.deepEqual(plan?.content.kind === 'tables' && plan.content.tables.map(({ fate }) => fate), [
    'structure',
    'drop',
    'rows',
  ]);
  assert.deepEqual(
    found(compiled('tables: { log_*: structure, "*og_a": drop, "*b": drop, log_c: drop }', logs).problems),
    ['pattern-ambiguous log_a'],
  );
});

test('a rule that cannot hold is a problem: type, NULL, length, values, options', () => {
  const rules = (rule: string, facts: Parameters<typeof table>[1][string]) =>
    found(compiled(`tables: { t: { columns: { c: ${rule} } } }`, schemaOf(table('t', { c: facts }))).problems);
  assert.deepEqual(rules('email', { type: 'integer', family: 'integer' }), ['type-not-accepted t c']);
  assert.deepEqual(rules('null', { isNullable: false }), ['null-not-allowed t c']);
  assert.deepEqual(rules('{ const: "too long" }', { maxLength: 5 }), ['too-long t c']);
  assert.deepEqual(rules('{ const: x }', { allowedValues: ['a', 'b'] }), ['value-not-allowed t c']);
  assert.deepEqual(rules('{ const: a }', { allowedValues: ['a', 'b'] }), []);
  assert.deepEqual(rules('nmae', {}), ['transformer-unknown t c']);
  assert.deepEqual(rules('{ email: { colour: red } }', {}), ['options-invalid t c']);
  assert.deepEqual(rules('{ keep: { a: 1 } }', {}), ['options-invalid t c']);
  assert.deepEqual(rules('{ json: { paths: { "$.a": nmae } } }', { family: 'json' }), ['options-invalid t c']);
  assert.deepEqual(rules('{ json: { paths: { "$.a": email, "$..b": null, "$.c": keep } } }', { family: 'json' }), []);
});

test('a type that the policy wrote down is held against the type of now, however it is spaced', () => {
  const schema = schemaOf(table('t', { c: { type: 'numeric(10,2)', family: 'numeric' } }));
  const policy = (type: string) => `tables: { t: { columns: { c: { rule: keep, type: "${type}" } } } }`;
  assert.deepEqual(compiled(policy('NUMERIC (10, 2)'), schema).problems, []);
  const { problems } = compiled(policy('integer'), schema);
  assert.deepEqual(found(problems), ['type-changed t c']);
  assert.match(problems[0]?.suggestion ?? '', /`type: numeric\(10,2\)`/);
});

test('a unique column keeps its different values different, unless somebody says why not', () => {
  const schema = schemaOf(
    table('t', { id: ID, code: {}, kind: {} }, { uniqueKeys: [PRIMARY, unique('code', 'kind'), unique('id', 'kind')] }),
  );
  const policy = (code: string) => `tables: { t: { columns: { id: keep, code: ${code}, kind: keep } } }`;
  assert.deepEqual(found(compiled(policy('name'), schema).problems), ['uniqueness-lost t code']);
  for (const rule of ['hash', 'keep', 'null', '{ rule: name, allow_uniqueness_loss: "the index is dropped later" }'])
    assert.deepEqual(compiled(policy(rule), schema).problems, [], rule);
});

test('a domain that takes spellings for one does not keep a unique column unique, unless the key ignores the case too', () => {
  const policy =
    'domains: { p.email: { transform: email, normalise: [lower] } }\ntables: { t: { columns: { e: p.email } } }';
  const plain = table('t', { e: {} }, { uniqueKeys: [unique('e')] });
  assert.deepEqual(found(compiled(policy, schemaOf(plain)).problems), ['uniqueness-lost t e']);
  const lower = { ...plain, uniqueKeys: [...plain.uniqueKeys, { ...unique('e'), name: 'lower', isExpression: true }] };
  assert.deepEqual(compiled(policy, schemaOf(lower)).problems, []);
});

test('a foreign key has the rule of its target: another one is a problem, the same one and NULL are none', () => {
  const policy = (rule: string) => `tables:\n${USERS}\n  public.orders: { columns: { id: keep, email: ${rule} } }\n`;
  assert.deepEqual(found(compiled(policy('keep'), shop).problems), ['foreign-key-differs public.orders email']);
  assert.deepEqual(found(compiled(policy('{ email: { domain: other.test } }'), shop).problems), [
    'foreign-key-differs public.orders email',
  ]);
  for (const rule of ['email', '{ email: {} }', 'null'])
    assert.deepEqual(compiled(policy(rule), shop).problems, [], rule);
});

test('a reference narrower than its target has a rule whose length fits both', () => {
  const narrow = (rule: string) =>
    found(
      compiled(
        `tables: { a: { columns: { id: ${rule} } }, b: { columns: {} } }`,
        schemaOf(
          table('a', { id: { maxLength: 60 } }),
          table('b', { a: { maxLength: 20 } }, { foreignKeys: [reference('a', 'a')] }),
        ),
      ).problems,
    );
  assert.deepEqual(narrow('{ text: {} }'), ['too-long b a']);
  assert.deepEqual(narrow('{ hash: { length: 32 } }'), ['too-long b a']);
  assert.deepEqual(narrow('first_name'), []);
  assert.deepEqual(narrow('keep'), []);
});

test('a rule that its target can have and the reference cannot is a problem of the reference', () => {
  const schema = schemaOf(
    table('a', { id: { allowedValues: ['x', 'y'] } }),
    table('b', { a: {} }, { foreignKeys: [reference('a', 'a')] }),
  );
  const { plan, problems } = compiled('tables: { a: { columns: { id: enum } }, b: { columns: {} } }', schema);
  assert.equal(plan, undefined);
  assert.deepEqual(found(problems), ['type-not-accepted b a']);
});

test('references in a circle and to the own table take one rule', () => {
  const schema = schemaOf(
    table(
      'a',
      { id: ID, b: { ...ID, isNullable: true } },
      { uniqueKeys: [PRIMARY], foreignKeys: [reference('b', 'b', 'a')] },
    ),
    table('b', { a: ID }, { foreignKeys: [reference('a', 'a', 'b')] }),
    table('c', { id: ID, parent: ID }, { uniqueKeys: [PRIMARY], foreignKeys: [reference('parent', 'c')] }),
  );
  const policy =
    'tables: { a: { columns: { id: keep, b: keep } }, b: { columns: {} }, c: { columns: { id: { int: permute } } } }';
  const { plan, problems } = compiled(policy, schema);
  assert.deepEqual(problems, []);
  assert.deepEqual(rulesOf(plan?.content).b, { a: 'keep' });
  assert.deepEqual(rulesOf(plan?.content).c, { id: 'int', parent: 'int' });
});

test('rows do not refer to a table that is given without any', () => {
  const policy = (user: string) =>
    `tables: { public.users: structure, public.orders: { columns: { id: keep, user_id: ${user}, email: null } } }`;
  assert.deepEqual(found(compiled(policy('keep'), shop).problems), ['foreign-key-target-empty public.orders user_id']);
  assert.deepEqual(compiled(policy('null'), shop).problems, []);
  const dropped =
    'tables: { public.users: drop, public.orders: { columns: { id: keep, user_id: keep, email: email } } }';
  assert.deepEqual(compiled(dropped, shop).problems, []);
});

test('a table that can only be dropped is dropped, or there is a problem', () => {
  const schema = schemaOf(table('search', { words: {} }, { dropOnly: 'it is virtual' }));
  for (const fate of ['structure', '{ columns: { words: keep } }'])
    assert.deepEqual(found(compiled(`tables: { search: ${fate} }`, schema).problems), ['table-only-dropped search']);
  assert.deepEqual(compiled('tables: { search: drop }', schema).problems, []);
  assert.deepEqual(found(compiled('defaults: { new_table: structure }', schema).problems), [
    'table-only-dropped search',
  ]);
});

test('partitions and tables that inherit take the rules of their parent, and a column more is a problem of theirs', () => {
  const parent = table('log', { id: ID, who: {} }, { isPartitioned: true });
  const part = { ...parent, name: 'log_2026', parent: 'log', isPartitioned: false };
  const child = table('log_extra', { id: ID, who: {}, note: {} }, { parent: 'log' });
  const policy = 'tables: { log: { columns: { id: keep, who: name } } }';
  const { plan, problems } = compiled(policy, schemaOf(parent, part));
  assert.deepEqual(problems, []);
  assert.deepEqual(rulesOf(plan?.content).log_2026, { id: 'keep', who: 'name' });
  assert.deepEqual(found(compiled(policy, schemaOf(parent, part, child)).problems), [
    'column-not-named log_extra note',
  ]);
  const own =
    'tables: { log: { columns: { id: keep, who: name } }, log_extra: { columns: { note: null } }, log_2026: structure }';
  assert.deepEqual(compiled(own, schemaOf(parent, part, child)).problems, []);
  assert.deepEqual(found(compiled('tables: { log: drop, log_2026: structure }', schemaOf(parent, part)).problems), [
    'parent-dropped log_2026',
  ]);
});

test('a generated column is called so, and nothing else may be', () => {
  const schema = schemaOf(table('t', { a: {}, b: { isGenerated: true } }));
  const policy = (a: string, b: string) => `tables: { t: { columns: { a: ${a}, b: ${b} } } }`;
  assert.deepEqual(compiled(policy('name', 'generated'), schema).problems, []);
  assert.deepEqual(found(compiled(policy('name', 'keep'), schema).problems), ['generated-column t b']);
  assert.deepEqual(found(compiled(policy('generated', 'generated'), schema).problems), ['no-longer-generated t a']);
  assert.deepEqual(found(compiled('tables: { t: { columns: { a: keep } } }', schema).problems), [
    'column-not-named t b',
  ]);
});

test('rows that leave unmasked are meant by columns that there are, and are in no reference that is masked', () => {
  const unless = (condition: string, columns: string) =>
    `tables:\n  public.users: { columns: { ${columns}, name: name }, unless: "${condition}", accept: { unless: "our own staff" } }\n  public.orders: { columns: { id: keep } }`;
  assert.deepEqual(compiled(unless("name like '%x'", 'id: keep, email: keep'), shop).problems, []);
  assert.deepEqual(found(compiled(unless("nmae = 'x'", 'id: keep, email: keep'), shop).problems), [
    'condition-invalid public.users',
  ]);
  assert.deepEqual(found(compiled(unless("name = 'x'", 'id: keep, email: email'), shop).problems), [
    'unless-breaks-references public.users email',
  ]);
});

test('rules that read other columns read some that there are, and not each other in a circle', () => {
  const schema = schemaOf(table('t', { a: {}, b: {}, c: { isGenerated: true } }));
  const policy = (a: string, b: string) => `tables: { t: { columns: { a: ${a}, b: ${b}, c: generated } } }`;
  assert.deepEqual(compiled(policy('name', '{ template: "{a}@example.test" }'), schema).problems, []);
  assert.deepEqual(found(compiled(policy('{ template: "{b}" }', '{ template: "{a}" }'), schema).problems), [
    'reads-in-a-circle t a',
  ]);
  assert.deepEqual(found(compiled(policy('name', '{ template: "{x}{c}" }'), schema).problems), [
    'reads-unknown-column t b',
    'reads-unknown-column t b',
  ]);
});

test('the rule of an array is held against the type of its elements', () => {
  const schema = schemaOf(table('t', { a: { type: 'numeric(10,2)[]', family: 'array' } }));
  const policy = (step: number) => `tables: { t: { columns: { a: { array: { numeric: { round: ${step} } } } } } }`;
  assert.deepEqual(found(compiled(policy(0.01), schema).problems), ['options-invalid t a']);
  assert.deepEqual(compiled(policy(0.5), schema).problems, []);
});

test('thousands of rules that read each other, and of names that are nowhere, are refused soon', () => {
  const columns = Array.from({ length: 3000 }, (_, index) => `      c${index}: { template: "{c${index + 1}}" }\n`);
  const { problems } = compiled(`files:\n  x.csv:\n    csv:\n     columns:\n${columns.join('')}      c3000: email\n`, {
    dialect: 'csv',
    tables: [],
  });
  assert.deepEqual(found(problems.slice(0, 1)), ['reads-in-a-circle x.csv c100']);
  const facts = Object.fromEntries(Array.from({ length: 1600 }, (_, index) => [`column_of_the_table_${index}`, {}]));
  const absent = Array.from({ length: 3000 }, (_, index) => `colunm_of_the_table_${index}: keep`).join(', ');
  const start = process.cpuUsage();
  const drifted = compiled(`tables: { t: { columns: { ${absent} } } }`, schemaOf(table('t', facts)));
  const { user, system } = process.cpuUsage(start);
  assert.equal(drifted.problems.length, 4600);
  assert.match(JSON.stringify(drifted.problems), /column_of_the_table_0/);
  // Microseconds. To compare each name with each takes many minutes.
  assert.ok(user + system < 60_000_000);
});

test('a domain is no transformer: their pseudonyms would be the same', () => {
  const { problems } = compiled('domains: { name: email, other: nmae, keep: hash }\ntables: {}', schemaOf());
  assert.deepEqual(found(problems), ['domain-ambiguous', 'transformer-unknown other', 'domain-ambiguous']);
});

test('a variant that the policy does not declare is not available', () => {
  assert.throws(
    () => compiled(POLICY, shop, 'reduced'),
    (error) => error instanceof HoldfastError && error.code === 'variant-not-available' && /masked/.test(error.message),
  );
});

test('a document has rules by paths; where the policy has none, or a path can never count, there is a problem', () => {
  const { plan } = compiled('document: { paths: { "$.a": email, "$..b": keep } }', 'document');
  assert.deepEqual(plan?.content.kind === 'document' && plan.content.json.paths.map(({ path }) => path), [
    '$.a',
    '$..b',
  ]);
  assert.deepEqual(found(compiled('tables: {}', 'document').problems), ['document-not-named']);
  assert.deepEqual(found(compiled('document: { paths: { "$..b": email, "$.b": keep } }', 'document').problems), [
    'condition-invalid',
  ]);
  assert.deepEqual(found(compiled('document: { paths: { "$[?@.a]": email } }', 'document').problems), [
    'condition-invalid',
  ]);
});

test('files are meant by patterns, and a CSV file has the columns that its pattern names', () => {
  const policy =
    'files: { "data/*.csv": { csv: { columns: { id: keep, mail: email } } }, "img/**": keep, "*.json": { json: {} } }';
  const csv = table('data/a.csv', { id: {}, mail: {} });
  const paths = ['data/a.csv', 'img/x/y.png', 'c.json'];
  const { plan, problems } = compiled(policy, { dialect: 'csv', paths, tables: [csv] });
  assert.deepEqual(problems, []);
  assert.deepEqual(plan?.content.kind === 'files' && plan.content.files.map(({ fate }) => fate), [
    'csv',
    'keep',
    'json',
  ]);
  const other = { ...csv, columns: csv.columns.map((column) => ({ ...column, name: column.name.toUpperCase() })) };
  assert.deepEqual(
    found(compiled(policy, { dialect: 'csv', paths: [...paths, 'secret.txt'], tables: [other] }).problems),
    [
      'file-not-named secret.txt',
      'column-not-named data/a.csv ID',
      'column-not-named data/a.csv MAIL',
      'column-matches-nothing data/a.csv id',
      'column-matches-nothing data/a.csv mail',
    ],
  );
});

test('the plan is plain data: it can be hashed and sent to a thread', () => {
  const { plan } = compiled(policyOf(POLICY), shop);
  assert.deepEqual(structuredClone(plan), JSON.parse(JSON.stringify(plan)));
});
