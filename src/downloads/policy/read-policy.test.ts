import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../core/errors.ts';
import { parsePredicate } from '../predicate/parse-predicate.ts';
import type { MaskingPolicy } from './masking-policy.ts';
import { jsonSchemaOfPolicy } from './policy-json-schema.ts';
import { readPolicy } from './read-policy.ts';
import type { TextFault } from './yaml-text.ts';

const HEAD = 'version: 1\nresource: shop\nkey: env:K\nvariants: { masked: { keep: full } }\n';

function read(text: string): MaskingPolicy {
  return readPolicy(text, { name: 'shop.yaml', parsePredicate });
}

function faultsOf(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof HoldfastError);
    assert.equal(error.code, 'masking-policy-invalid');
    return (error.details.faults as TextFault[]).map(({ line, column, message }) => `${line}:${column} ${message}`);
  }
  assert.fail('it was read');
}

test('a whole policy is read, with defaults for what it does not say', () => {
  const policy = read(`version: 1
resource: shop-*
key: file:/etc/key
epoch: 2026
default: reduced
variants:
  masked: { keep: full, verify: load }
  reduced:
    extends: masked
    subset:
      seed: dev
      roots:
        - { table: public.users, where: "status != 'deleted'", sample: 1%, by: id, limit: 20_000 }
        - { table: public.users, where: "email like '%@corp.example'", always: true }
      follow: [ { from: public.users, to: public.orders, via: user_id, limit_per_parent: 50 } ]
      virtual_keys:
        - { from: "public.audit.data->'a'->>'order''s id'", to: public.orders.id }
        - { from: { table: public.comments, columns: [post, at] }, to: { table: '"we.ird".posts', columns: [id, at] }, when: { kind: 1 } }
      null_out: [ public.users.manager_id ]
      unconnected: { public.countries: all, "*": none }
      budget: { max_rows: 5_000_000, max_bytes: 2GiB }
domains:
  person.email: { transform: email, normalise: [trim, lower], domain: example.test }
tables:
  public.users:
    columns:
      id: keep
      email: person.email
      mail: { domain: person.email }
      avatar: null
      phone: { rule: { digits: { keep: 3 } }, type: Text, allow_uniqueness_loss: "no index in development" }
      whole: generated
    unless: "email like '%@corp.example'"
    accept: { unless: "staff accounts, DPO-4711" }
  public.logs: structure
  log_*: drop
`);
  assert.equal(policy.resource, 'shop-*');
  assert.equal(policy.epoch, '2026');
  assert.equal(policy.defaultVariant, 'reduced');
  assert.deepEqual(policy.tablePatterns, new Map([['log_*', 'drop']]));
  const { subset, ...reduced } = policy.variants.get('reduced') ?? assert.fail();
  assert.deepEqual(reduced, { name: 'reduced', kind: 'reduced', produce: 'ahead', verifiesByLoading: true });
  assert.equal(subset?.roots[0]?.sample, 0.01);
  assert.equal(subset?.roots[1]?.sample, undefined);
  assert.deepEqual(subset?.virtualKeys, [
    {
      table: 'public.audit',
      columns: ['data'],
      jsonPath: ['a', "order's id"],
      target: 'public.orders',
      targetColumns: ['id'],
    },
    {
      table: 'public.comments',
      columns: ['post', 'at'],
      target: '"we.ird".posts',
      targetColumns: ['id', 'at'],
      when: new Map([['kind', '1']]),
    },
  ]);
  assert.deepEqual(subset?.nullOut, [{ table: 'public.users', columns: ['manager_id'] }]);
  assert.deepEqual(subset?.budget, { maxRows: 5_000_000, maxBytes: 2 ** 31 });
  const users = policy.tables.get('public.users');
  assert.deepEqual(
    [...(users?.columns.values() ?? [])],
    [
      { rule: { kind: 'transformer', transformer: 'keep' } },
      { rule: { kind: 'domain', domain: 'person.email' } },
      { rule: { kind: 'domain', domain: 'person.email' } },
      { rule: { kind: 'transformer', transformer: 'null' } },
      {
        rule: { kind: 'transformer', transformer: 'digits', options: { keep: 3 } },
        type: 'text',
        allowUniquenessLoss: 'no index in development',
      },
      { rule: { kind: 'generated' } },
    ],
  );
});

test('references that lead nowhere become NULL by a bare null as by the word', () => {
  const danglingOf = (written: string) => {
    const subset = `{ roots: [ { table: t } ], dangling: ${written} }`;
    const policy = `version: 1\nresource: shop\nkey: env:K\nvariants: { small: { subset: ${subset} } }\ntables: { t: { columns: { a: keep } } }\n`;
    return read(policy).variants.get('small')?.subset?.dangling;
  };
  assert.deepEqual(['null', '"null"', '~', 'drop'].map(danglingOf), ['null', 'null', 'null', 'drop']);
  assert.throws(() => danglingOf('away'), /subset\.dangling`: must be `fail`, `null`, `drop` or `keep`/);
});

test('every fault is told with its line and column, and the name that was meant', () => {
  assert.deepEqual(
    faultsOf(
      'version: 1\nresource: shop\nkey: env:K\nvariants:\n  raw: { keep: full }\n  a: { kep: full }\ntabels: {}\n',
    ),
    [
      '5:3 `variants.raw`: must not be `raw`: that is the data as it was backed up.',
      '6:8 `variants.a.kep`: is not known here. Did you mean `keep`?',
      '7:1 `tabels`: is not known here. Did you mean `tables`?',
    ],
  );
  assert.deepEqual(
    faultsOf(`${HEAD}tables:\n  t: { columns: { a: [], b: { rule: keep, typ: x }, c: { hash: 1, name: 2 } } }\n`),
    [
      '6:19 `tables.t.columns.a`: must be a rule, or an object with a `rule` and what else is to be said of the column.',
      '6:43 `tables.t.columns.b.typ`: is not known here. Did you mean `type`?',
    ],
  );
  assert.deepEqual(
    faultsOf(
      `${HEAD}tables:\n  t: { columns: { c: { hash: 1, name: 2 } }, unless: "a =" }\n  l*: { columns: {} }\n`,
    ).map((fault) => fault.split(':').slice(0, 2).join(':')),
    ['6:19 `tables.t.columns.c`', '6:46 `tables.t.unless`', '6:46 `tables.t.unless`', '7:3 `tables."l*"`'],
  );
});

test('what is said of a column beside its rule must be known and of its kind, and its reasons must be words', () => {
  for (const [said, where] of [
    ['tpye: text', '.tpye'],
    ['type: 5', '.type'],
    ['allow_uniqueness_loss: ""', '.allow_uniqueness_loss'],
    ['allow_detected: true', '.allow_detected'],
  ] as const) {
    const [fault = '', ...more] = faultsOf(`${HEAD}tables:\n  t: { columns: { a: { rule: keep, ${said} } } }\n`);
    assert.equal(/`(.*?)`/.exec(fault)?.[1], `tables.t.columns.a${where}`);
    assert.deepEqual(more, []);
  }
});

test('a policy with more variants than anybody reads is refused at once, however they extend each other', () => {
  const chain = Array.from({ length: 10_000 }, (_, index) => `  v${index + 1}: { extends: v${index} }\n`).join('');
  const text = `version: 1\nresource: shop\nkey: env:K\nvariants:\n  v0: { keep: full }\n${chain}`;
  assert.deepEqual(faultsOf(text), ['4:1 `variants`: must not declare more than 100.']);
});

test('a key that stands in the policy itself is refused, and not shown', () => {
  const faults = faultsOf(HEAD.replace('env:K', 'correct horse battery'));
  assert.match(faults[0] ?? '', /^3:1 `key`: must be a reference/);
  assert.doesNotMatch(faults.join(), /horse/);
});

test('YAML that is not what it seems to be is refused', () => {
  for (const [text, fault] of [
    ['a: &x 1\nb: *x\n', /^2:4 Aliases/],
    [`a: &a [x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b]\n`, /Aliases/],
    ['a: 1\na: 2\n', /^2:1 `a` stands here twice/],
    ['%YAML 1.1\n---\na: yes\n', /YAML 1\.2/],
    ['a: !!binary aGk=\n', /tag/],
    ['a: !js/function x\n', /tag/i],
    ['a: 1\n---\nb: 1\n', /one policy/],
    ['__proto__: { polluted: true }\n', /__proto__/],
    ['a: { __proto__: 1, constructor: 2 }\n', /__proto__/],
    ['? [a]\n: 1\n', /name is plain text/],
    ['a: 12345678901234567890\n', /lose digits/],
    ['a: 1e999\n', /lose digits/],
    [`a: ${'['.repeat(20_000)}`, /nested too deep/],
    [`a: ${'{a: '.repeat(60)}1${'}'.repeat(60)}`, /nested too deep/],
    [`# ${'x'.repeat(1_048_576)}`, /longer than/],
    ['', /must not be empty/],
    ['files: { b: keep, "1": keep }\n', /ascending/],
  ] as const)
    assert.match(faultsOf(text).join('\n'), fault, text.slice(0, 60));
  assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
});

test('very many names are read in a time that grows with them, not with their square', () => {
  const names = Array.from({ length: 20_000 }, (_, index) => `t${index}: drop`);
  assert.equal(read(`${HEAD}tables: { ${names.join(', ')} }\n`).tables.size, 20_000);
});

test('what variants take from each other is whole, and never a circle', () => {
  const variants = (text: string) => `version: 1\nresource: s\nkey: env:K\nvariants: { ${text} }\n`;
  assert.match(faultsOf(variants('a: { extends: b }, b: { extends: a }')).join(), /circle/);
  assert.match(faultsOf(variants('a: { extends: maskd }, masked: { keep: full }')).join(), /Did you mean `masked`/);
  assert.match(faultsOf(variants('a: { produce: ahead }')).join(), /neither/);
  assert.match(faultsOf(variants('')).join(), /a variant at least/);
  assert.match(faultsOf(`${variants('a: { keep: full }')}default: b\n`).join(), /no variant is called so/);
  const { variants: read2 } = read(
    variants('small: { subset: { roots: [ { table: t } ] } }, full: { extends: small, keep: full }'),
  );
  assert.equal(read2.get('full')?.kind, 'masked');
});

test('a table stands there once, however it is spelt', () => {
  assert.match(faultsOf(`${HEAD}tables: { public.users: drop, '"public".users': drop }\n`).join(), /twice/);
  assert.equal(read(`${HEAD}tables: { '"public"."users"': drop }\n`).tables.has('public.users'), true);
});

test('any text is read, or refused with a fault that has a place', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.constantFrom(
      ...[
        'version: 1\n',
        'tables:\n',
        '  t: ',
        'columns: ',
        '{ ',
        ' }',
        '[',
        ']',
        ': ',
        ', ',
        '&a ',
        '*a',
        '!!x ',
        '"',
        "'",
        '\n',
        '  ',
        '- ',
        '|\n',
      ],
      ...[
        'keep',
        'null',
        'subset: ',
        'roots: ',
        'domains: ',
        '__proto__: ',
        'constructor: ',
        '? ',
        '---\n',
        '%YAML 1.1\n',
        '#',
        '>-\n',
      ],
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.boolean(), (pieces, hasHead) => {
      const text = (hasHead ? HEAD : '') + pieces.join('');
      try {
        read(text);
      } catch (error) {
        assert.ok(error instanceof HoldfastError, String(error));
        for (const { line, column } of error.details.faults as TextFault[]) assert.ok(line >= 1 && column >= 1);
      }
    }),
    { numRuns: 1000 },
  );
});

test('any values in the place of any setting are read or refused', () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  const setting = fc.constantFrom(
    'variants',
    'domains',
    'tables',
    'document',
    'files',
    'checks',
    'defaults',
    'epoch',
    'default',
  );
  fc.assert(
    fc.property(setting, value, fc.constantFrom('', 't', 'columns'), (name, given, within) => {
      const base = { version: 1, resource: 'shop', key: 'env:K', variants: { masked: { keep: 'full' } } };
      const text = JSON.stringify({ ...base, [name]: within === '' ? given : { [within]: given } });
      try {
        read(text);
      } catch (error) {
        assert.ok(error instanceof HoldfastError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('the JSON schema for editors describes every property', () => {
  const undescribed: string[] = [];
  const visit = (schema: unknown, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    for (const [name, member] of Object.entries(schema)) {
      if (name === 'properties')
        for (const [property, its] of Object.entries(member as Record<string, { description?: string }>))
          if (its.description === undefined) undescribed.push(`${path}.${property}`);
      visit(member, `${path}.${name}`);
    }
  };
  const schema = jsonSchemaOfPolicy();
  visit(schema, '');
  assert.deepEqual(undescribed, []);
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
});
