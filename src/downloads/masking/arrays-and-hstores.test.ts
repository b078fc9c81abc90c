import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PostgresqlServer, SKIP_REASON } from '../../../test/postgresql-server.ts';
import { rewriteArray } from './array/array-literal.ts';
import { arrayTransformer } from './array/array-transformer.ts';
import { hstoreTransformer } from './hstore/hstore-transformer.ts';
import { NO_ROW } from './json/json-masker.ts';
import type { ColumnFacts, TransformerContext } from './transformer.ts';

const MARK = { transformer: 'mark', options: {}, domain: 'mark', normalise: [] };
const LOST = { ...MARK, transformer: 'lost' };

function context(column: ColumnFacts): TransformerContext {
  return {
    key: Buffer.alloc(32),
    column,
    indexOf: () => 0,
    inner: ({ transformer }, { family }) =>
      family !== 'text' ? undefined : (value) => (transformer === 'mark' ? mark(value) : null),
  };
}

function mark(value: string): string {
  return value === '' ? '' : `${value}"\\, {${value}`;
}

function column(type: string): ColumnFacts {
  return { family: 'array', type, isNullable: true };
}

describe('rules for the elements of arrays', () => {
  it('change elements at any depth, leave NULL, and write the rest as it was', () => {
    const change = arrayTransformer.create({ each: MARK }, context(column('text[]')));
    assert.equal(
      change('{a,"b c",NULL,"NULL",""}', NO_ROW),
      String.raw`{"a\"\\, {a","b c\"\\, {b c",NULL,"NULL\"\\, {NULL",""}`,
    );
    assert.equal(change('[0:1][2:2]={{a},{NULL}}', NO_ROW), String.raw`[0:1][2:2]={{"a\"\\, {a"},{NULL}}`);
    assert.equal(change('{}', NO_ROW), '{}');
    const lose = arrayTransformer.create({ each: LOST }, context(column('character varying(20)[][]')));
    assert.equal(lose('{{a,"b"},{c,NULL}}', NO_ROW), '{{NULL,NULL},{NULL,NULL}}');
  });

  it('say of which type the elements are, so that a rule that does not take them is refused', () => {
    const families = (type: string) =>
      arrayTransformer.nested?.of({ each: 'email' }, column(type)).map((nested) => nested.families);
    assert.deepEqual(families('character varying(20)[]'), [['text']]);
    assert.deepEqual(families('timestamp(3) with time zone[]'), [['timestamp']]);
    assert.deepEqual(families('numeric(10,2)[][]'), [['numeric']]);
    assert.deepEqual(families('shop.address[]'), [['other']]);
    assert.throws(() => arrayTransformer.create({ each: MARK }, context(column('shop.address[]'))));
    assert.throws(() => arrayTransformer.options.parse({}));
  });

  it('refuse text that is no array, and quote nothing of it', () => {
    for (const text of [
      '',
      'a',
      '{',
      '{a',
      '}',
      '{a}}',
      '{a}b',
      '{,}',
      '{a,}',
      '{"a}',
      '{a"b"}',
      '{{a}b}',
      '{{a}{b}}',
      '[0:1]{a}',
      '{a\\',
      '{{{{{{{1}}}}}}}',
    ]) {
      assert.throws(() => rewriteArray(text, (element) => element), /^ArrayTextError: There is no array/, text);
    }
  });
});

describe('arrays and hstores beside PostgreSQL', { skip: SKIP_REASON }, () => {
  it('are read as it prints them, and written so that it reads what the rules gave', async () => {
    await using stack = new AsyncDisposableStack();
    const server = await PostgresqlServer.start();
    stack.defer(() => server.stop());
    const arrays = fc.sample(fc.oneof(list, matrix), { numRuns: 200, seed: 5 });
    const stores = fc.sample(fc.dictionary(texts, fc.option(texts), { maxKeys: 4 }), { numRuns: 200, seed: 6 });
    const query = async (queries: string[]) => {
      const script = ['create extension if not exists hstore;', ...queries.map((text) => `select to_json(${text});`)];
      const output = Buffer.from(await server.sql('postgres', script.join('\n')), 'latin1').toString();
      return output.split('\n').map((line) => JSON.parse(line));
    };
    const printed = await query([
      ...arrays.map((array) => `(${arraySql(array)})::text`),
      ...stores.map((store) => `(${storeSql(store)})::text`),
    ]);
    const changeArray = arrayTransformer.create({ each: MARK }, context(column('text[]')));
    const policy = { keys: { a: MARK, b: LOST }, unknown: 'keep' as const, names: 'keep' as const };
    const changeStore = hstoreTransformer.create(policy, context({ ...column('hstore'), family: 'hstore' }));
    const masked = printed.map((text, index) => (index < arrays.length ? changeArray : changeStore)(text, NO_ROW));
    // Pairs as arrays: JSON.parse may read names with escapes wrongly (nodejs/node issue 63785).
    const read = await query(
      masked.map((text, index) =>
        index < arrays.length ? `${literal(text)}::text[]` : `hstore_to_matrix(${literal(text)}::hstore)`,
      ),
    );
    for (const [index, array] of arrays.entries()) assert.deepEqual(read[index], deeply(array), printed[index]);
    for (const [index, store] of stores.entries()) {
      const expected = Object.entries(store).map(([key, value]) => {
        if (key === 'b' || value === null) return [key, null];
        return [key, key === 'a' ? mark(value) : value];
      });
      assert.deepEqual(new Map(read[arrays.length + index]), new Map(expected as [string, string | null][]));
    }
  });
});

describe('rules for the keys of an hstore', () => {
  const change = (text: string, policy: Record<string, unknown>) => {
    const compiled = { unknown: 'redact', names: 'redact', keys: {}, ...policy } as const;
    return hstoreTransformer.create(compiled as never, context({ ...column('hstore'), family: 'hstore' }))(
      text,
      NO_ROW,
    );
  };

  it('redact what is not named, and keys that look personal', () => {
    const text = '"a"=>"1", "x"=>"2", "y"=>NULL, "m@n"=>"3", "o@p"=>"4"';
    assert.equal(
      change(text, { keys: { a: LOST } }),
      '"a"=>NULL, "x"=>"[redacted]", "y"=>NULL, "[redacted]"=>"[redacted]", "[redacted 2]"=>"[redacted]"',
    );
    assert.equal(change(text, { unknown: 'keep', names: 'keep' }), text);
    assert.throws(() => change(text, { unknown: 'fail' }));
    assert.throws(() => change('"m@n"=>NULL', { names: 'fail' }));
  });

  it('refuse text that is no hstore', () => {
    for (const text of [
      'a=>b',
      '"a"',
      '"a"=>',
      '"a"=>"b',
      '"a"=>"b",',
      '"a"=>"b", ',
      '"a"=>"b" "c"=>"d"',
      '"a"=>null',
      '"a=>"b"',
    ]) {
      assert.throws(() => change(text, {}), /^HstoreTextError: There is no hstore/, text);
    }
    assert.equal(change('', {}), '');
  });
});

const texts = fc
  .array(
    fc.constantFrom('a', 'b', 'NULL', 'null', ' ', ',', '{', '}', '"', '\\', '\n', '\t', '\v', "'", 'é', '𝄞', '=>'),
    { maxLength: 4 },
  )
  .map((pieces) => pieces.join(''));
const element = fc.option(texts, { nil: null });
const list = fc.array(element, { maxLength: 4 });
const matrix = fc
  .integer({ min: 1, max: 3 })
  .chain((width) =>
    fc.array(fc.array(element, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 3 }),
  );

type Elements = readonly (string | null | Elements)[];

function deeply(array: Elements): Elements {
  return array.map((part) => (typeof part === 'string' ? mark(part) : part === null ? null : deeply(part)));
}

function arraySql(array: Elements): string {
  const parts = array.map((part) => (part === null || typeof part === 'string' ? literal(part) : arraySql(part)));
  return `array[${parts.join(', ')}]::text[]`;
}

function storeSql(store: Record<string, string | null>): string {
  const keys = Object.keys(store);
  return `hstore(${arraySql(keys)}, ${arraySql(keys.map((key) => store[key] ?? null))})`;
}

function literal(text: string | null): string {
  return text === null ? 'NULL' : `'${text.replaceAll("'", "''")}'`;
}
