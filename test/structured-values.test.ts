import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RowMasker } from '../src/downloads/masking/row-masker.ts';
import { compiled, schemaOf, table } from './policy-rig.ts';

const SHOP = schemaOf(
  table('public.users', {
    email: {},
    prefs: { type: 'jsonb', family: 'json' },
    tags: { type: 'text[]', family: 'array' },
    attrs: { type: 'public.hstore', family: 'hstore' },
    bio: {},
  }),
);

function policy(prefs: string): string {
  return `
domains:
  person.email: { transform: email, normalise: [trim, lower], domain: example.test }
tables:
  public.users:
    columns:
      email: person.email
      prefs: ${prefs}
      tags: { array: person.email }
      attrs: { hstore: { keys: { email: person.email, lang: keep } } }
      bio: { text: { scrub: [email, phone], max: 200 } }
    unless: "bio ilike '%staff%' and email is not null"
    accept: { unless: "staff accounts" }
`;
}

const PREFS =
  '{ json: { paths: { "$.lang": keep, "$..token": null, "$..email": person.email, "$.n": { int: { noise: 3 } }, "$.born": { date: { truncate: year } } } } }';

describe('values with a structure, by a policy', () => {
  const { plan, problems } = compiled(policy(PREFS), SHOP);
  const content = plan?.content;
  assert.ok(content?.kind === 'tables', JSON.stringify(problems));
  const masker = new RowMasker(content.tables[0]!, ['email', 'prefs', 'tags', 'attrs', 'bio'], Buffer.alloc(32, 1));

  it('have the pseudonyms of plain columns, wherever a value stands', () => {
    const values = [
      'jane@corp.example',
      '{"lang": "de", "contact": {"email": " JANE@corp.example"}, "token": {"a": 1}, "n": 40, "born": "1980-03-04", "x": 1.50}',
      '{{Jane@corp.example},{NULL}}',
      '"email"=>"jane@corp.example", "x"=>"y", "lang"=>"en"',
      'ring 0301234567 or jane@corp.example',
    ];
    const row: (string | null)[] = [...values];
    assert.ok(masker.mask(row));
    const [email = '', prefs, tags, attrs, bio] = row;
    assert.match(email ?? '', /^\w+@example\.test$/);
    const { n, ...rest } = JSON.parse(prefs ?? '');
    assert.deepEqual(rest, { lang: 'de', contact: { email }, token: null, born: '1980-01-01', x: 0 });
    assert.ok(n >= 37 && n <= 43);
    assert.equal(tags, `{{${email}},{NULL}}`);
    assert.equal(attrs, `"email"=>"${email}", "x"=>"[redacted]", "lang"=>"en"`);
    assert.equal(bio, 'ring [phone] or [email]');
  });

  it('tell the canary of what is within them, where an original must not show up again', () => {
    const told: string[] = [];
    const probe = {
      ...{
        traceable: [],
        watched: [],
        watches: false,
        output: () => undefined,
        originals: () => undefined,
        take: () => [],
      },
      original: (value: string) => void told.push(value),
    };
    const traced = new RowMasker(
      content.tables[0]!,
      ['email', 'prefs', 'tags', 'attrs', 'bio'],
      Buffer.alloc(32),
      probe,
    );
    traced.mask([null, '{"lang":"de","email":"a@b.example"}', '{c@d.example}', '"email"=>"e@f.example"', 'x']);
    assert.deepEqual(told, ['a@b.example', 'c@d.example', 'e@f.example']);
  });

  it('stay as they are in rows that the policy exempts', () => {
    const row = ['a@b', '{}', '{}', '', 'STAFF'];
    assert.equal(masker.mask(row), false);
    assert.deepEqual(row, ['a@b', '{}', '{}', '', 'STAFF']);
  });

  it('fail with the names of table, column and rule alone where they are not what their type says', () => {
    for (const [index, value] of ['{"secret"', '{secret', 'secret=>1'].entries()) {
      const row: (string | null)[] = [null, null, null, null, null];
      row[index + 1] = value;
      assert.throws(
        () => masker.mask(row),
        (error: Error) => /public\.users/.test(error.message) && !/secret/.test(error.message),
      );
    }
  });

  const faults: [string, RegExp][] = [
    ['{ json: { paths: { "$.a": bogus } } }', /paths\["\$\.a"\].*bogus/],
    ['{ json: { paths: { "$.a": keep, "$.a.b": email } } }', /\$\.a\.b can never count/],
    ['{ json: { paths: { "$[0]": keep } } }', /selects by index/],
    ['{ json: { paths: { "$.a": { template: "{bio}" } } } }', /reads other columns/],
    ['{ json: { paths: {}, unknown: keep, names: keep } }', /write keep instead/],
    ['{ array: email }', /type/],
  ];
  for (const [prefs, message] of faults) {
    it(`cannot have the rule ${prefs}`, () => {
      const { problems: found } = compiled(policy(prefs), SHOP);
      assert.match(found.map((problem) => problem.message).join('\n'), message);
    });
  }
});
