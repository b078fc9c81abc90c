import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sqlExpression } from './sql-expression.ts';
import { tokensOf } from './sql-tokens.ts';

const DIALECTS = ['postgresql', 'mysql'] as const;

test('an expression is given as it was written, with one space in the place of each white space', () => {
  const given = (text: string, dialect: (typeof DIALECTS)[number] = 'postgresql') => sqlExpression(text, dialect).text;
  assert.equal(given("  to_tsvector( 'simple',\n\t email )\n"), "to_tsvector( 'simple', email )");
  assert.equal(
    given("a::text || E'\\n' || $$;--)$$ || 'it''s /* ; */'"),
    "a::text || E'\\n' || $$;--)$$ || 'it''s /* ; */'",
  );
  assert.equal(given("'one'\n 'two'"), "'one'\n'two'");
  assert.equal(given('(parts[1])[2: n] - 1 / 2'), '(parts[1])[2: n] - 1 / 2');
  assert.equal(given("concat(`a``;b`, '\\';', \"--\")", 'mysql'), "concat(`a``;b`, '\\';', \"--\")");
  assert.equal(given('lower(\nsource\n)', 'mysql'), 'lower( source )');
});

test('what may be columns is told as the database understands it, without functions, types and qualifiers', () => {
  const names = (text: string, dialect: (typeof DIALECTS)[number] = 'postgresql') => [
    ...sqlExpression(text, dialect).names,
  ];
  assert.deepEqual(names('to_tsvector(\'simple\', Title || "Body ""x""")::tsvector'), ['title', 'Body "x"']);
  assert.deepEqual(names("users.email || cast(born as date) || date '2001-01-01' || 'größe' || größe"), [
    'email',
    'born',
    'as',
    'größe',
  ]);
  assert.deepEqual(names('lower(`Größe`)', 'mysql'), ['Größe']);
  for (const dialect of DIALECTS) assert.ok(!names('EXTRACT(year FROM born)', dialect).includes('year'));
});

test('what would not stay within its parentheses is refused, and what is wrong is said without quoting it', () => {
  const refused: [string, RegExp][] = [
    ['', /is empty/],
    [' \n ', /is empty/],
    ['secret; DROP TABLE users', /`;`/],
    ['secret;', /`;`/],
    ['(secret;)', /`;`/],
    ['lower(secret', /not closed/],
    ["lower('secret)", /not closed/],
    ['lower("secret)', /not closed/],
    ['secret) + (1', /closes/],
    ['secret[1', /not closed/],
    ['f(secret]', /closes/],
    ['secret, id = 1', /more than one/],
    ['secret -- and more', /comment/],
    ['secret /* and more */', /comment/],
    ['/* and more */ secret', /comment/],
    ['-- and more\nsecret', /comment/],
    ['secret /* and more', /not closed|comment/],
    ['(select secret from users)', /SELECT/],
    ['(TABLE secret)', /TABLE/],
    ['secret || \u0000', /control/],
    ['\\! secret', /read in one way|not closed/],
    ['secret || \\g', /read in one way|not closed/],
  ];
  for (const dialect of DIALECTS)
    for (const [text, said] of refused)
      assert.throws(
        () => sqlExpression(text, dialect),
        (error) => error instanceof Error && said.test(error.message) && !error.message.includes('secret'),
        `${dialect}: ${text}`,
      );
  for (const text of ["secret || :'HOST'", 'secret || :HOST', 'parts[1:n]', 'secret || $1', '$$secret', '$x$secret$y$'])
    assert.throws(() => sqlExpression(text, 'postgresql'), Error, text);
  for (const text of [
    '@x := secret',
    '@@version',
    'secret # and more',
    '/*!50000 secret */',
    'lower(\ndelimiter //\nsecret)',
    '`secret',
  ])
    assert.throws(() => sqlExpression(text, 'mysql'), Error, text);
});

test('whatever is not refused is one parenthesis in a statement, in any place of it', () => {
  const piece = fc.constantFrom(
    ...[
      "'",
      "''",
      '"',
      '`',
      '\\',
      '(',
      ')',
      '[',
      ']',
      ';',
      ',',
      '--',
      '/*',
      '*/',
      '/*!',
      '#',
      '$$',
      '$a$',
      'E',
      'a',
      '1',
      ' ',
      '\n',
      ':',
      '::',
      '@',
      'delimiter',
      'é',
      '.',
      '-',
      '/',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.constantFrom(...DIALECTS), (pieces, dialect) => {
      let text: string;
      try {
        ({ text } = sqlExpression(pieces.join(''), dialect));
      } catch {
        return;
      }
      const statement = Buffer.from(`UPDATE t SET a = (${text}), b = (1);`);
      const tokens = tokensOf(statement, dialect);
      assert.equal(tokens.at(-1)?.end, statement.length);
      assert.equal(tokens.filter((token) => token.text === ';').length, 1);
      const [open, last] = [tokens.findIndex((token) => token.text === '('), tokens.length - 1];
      let depth = 0;
      const close = tokens.findIndex(({ kind, text: symbol }, at) => {
        if (at < open || kind !== 'symbol') return false;
        depth += symbol === '(' ? 1 : symbol === ')' ? -1 : 0;
        return depth === 0;
      });
      assert.deepEqual(
        tokens.slice(close + 1, last).map((token) => token.text),
        [',', 'b', '=', '(', '1', ')'],
      );
      // Read once more, it is the same.
      assert.equal(sqlExpression(text, dialect).text, text);
    }),
    { numRuns: 3000 },
  );
});
