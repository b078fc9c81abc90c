import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../core/errors.ts';
import type { SqlDialect } from '../../core/ports/service-download.ts';
import { SqlLexer, type SqlPiece } from './sql-lexer.ts';

describe('the lexer of SQL', () => {
  it('gives back every byte, and the same pieces however the stream is cut into chunks', () => {
    fc.assert(
      fc.property(
        scripts,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        dialects,
        (script, sizes, dialect) => {
          const atOnce = read(script, [script.length], dialect);
          const inChunks = read(script, sizes, dialect);
          assert.deepEqual(inChunks.pieces, atOnce.pieces);
          assert.equal(inChunks.refusal, atOnce.refusal);
          if (atOnce.refusal === undefined)
            assert.deepEqual(Buffer.concat(atOnce.pieces.map(({ bytes }) => bytes)), script);
        },
      ),
      {
        numRuns: 3000,
        examples: [
          [Buffer.from('COPY t (a) FROM stdin;\n\\.\n'), [1], 'postgresql'],
          [Buffer.from(":'';"), [1], 'mysql'],
        ],
      },
    );
  });

  it('finds exactly the statements that were written, whatever is in their names, bodies, comments and rows', () => {
    fc.assert(
      fc.property(fc.array(hostileStatement, { maxLength: 8 }), fc.integer({ min: 1, max: 50 }), (statements, size) => {
        const script = Buffer.from(statements.map(({ text }) => text).join('\n'), 'latin1');
        const { pieces, refusal } = read(script, [size], 'postgresql');
        assert.equal(refusal, undefined);
        const found = pieces
          .filter(({ kind }) => kind === 'statement')
          .map(({ bytes }) => bytes.toString('latin1').trimEnd());
        assert.deepEqual(
          found,
          statements.map(({ statement }) => statement),
        );
        const rows = pieces.filter(({ kind }) => kind === 'rows').map(({ bytes }) => bytes.toString('latin1'));
        assert.equal(rows.join(''), statements.map(({ rows }) => rows).join(''));
      }),
      { numRuns: 2000 },
    );
  });

  it('reads the header of a COPY over lines, and names that hold quotes, commas and line ends', () => {
    const script = 'COPY public."we""ird\nname" (a, "c,o l", "b\n\\.")\nFROM stdin;\n1\t2\t3\n\\.\n';
    const [statement] = read(Buffer.from(script), [7], 'postgresql').pieces;
    assert.ok(statement?.kind === 'statement');
    assert.deepEqual(statement.copy, { table: ['public', 'we"ird\nname'], columns: ['a', 'c,o l', 'b\n\\.'] });
  });

  it('follows the bodies of SQL-standard functions and rules', () => {
    const statements = [
      'CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN x > 0 THEN 1 END; SELECT 2; END;',
      'CREATE OR REPLACE PROCEDURE "begin"() LANGUAGE sql\nBEGIN ATOMIC\n INSERT INTO t VALUES (1);\nEND;',
      'CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);',
      'CREATE TABLE begin (a int);',
    ];
    const { pieces } = read(Buffer.from(statements.join('\n')), [3], 'postgresql');
    assert.deepEqual(
      pieces.filter(({ kind }) => kind === 'statement').map(({ bytes }) => bytes.toString()),
      statements,
    );
  });

  it("follows the mysql client's delimiters and comments whose content is run", () => {
    const script = `/*M!999999\\- enable the sandbox mode */ \n-- it's a comment;\n# and; another'
/*!40101 SET NAMES utf8 */;\nDELIMITER ;;\nCREATE TRIGGER t BEGIN SET a = 'x\\';'; /* ; ' */ END ;;\ndelimiter //
SELECT "a\\"//" / 2 /* // */ //\nDELIMITER ;\nINSERT INTO \`a\`\`;\` VALUES ('it''s;\\\\'),("\\";") -- x;\n;`;
    const { pieces } = read(Buffer.from(script), [5], 'mysql');
    const texts = pieces.filter(({ kind }) => kind === 'statement').map(({ bytes }) => bytes.toString());
    assert.deepEqual(texts, [
      '/*!40101 SET NAMES utf8 */;',
      "CREATE TRIGGER t BEGIN SET a = 'x\\';'; /* ; ' */ END ;;",
      'SELECT "a\\"//" / 2 /* // */ //',
      "INSERT INTO `a``;` VALUES ('it''s;\\\\'),(\"\\\";\") -- x;\n;",
    ]);
    assert.equal(pieces.filter(({ kind }) => kind === 'command').length, 4);
  });

  it('takes blobs in hex of any length, and finds the word DELIMITER at the end of any word', () => {
    for (const size of [3, 1000, 100_000]) {
      const script = Buffer.from(`INSERT INTO a VALUES (0x${'0aF'.repeat(20_000)},1),(0xdelimit,NULL);\nSELECT 1;`);
      const { pieces, refusal } = read(script, [size], 'mysql');
      assert.equal(refusal, undefined);
      assert.equal(pieces.filter(({ kind }) => kind === 'statement').length, 2);
      for (const word of [`0x${'00'.repeat(2000)}Delimiter`, '12delimiter', 'delimiter']) {
        const { refusal: found } = read(Buffer.from(`INSERT INTO a VALUES (1,${word} ;;\n`), [size], 'mysql');
        assert.match(found ?? '', /the word DELIMITER/);
      }
      // Clients before 8.0 compare it by the collation of their character set.
      for (const [word, encoding] of [
        ['d\xe9limiter', 'latin1'],
        ['délimiter', 'utf8'],
        [`0x${'00'.repeat(2000)}Dêlimiter`, 'utf8'],
      ] as const) {
        const { refusal: found } = read(
          Buffer.from(`CREATE VIEW v AS SELECT 1 ${word} ;;\n`, encoding),
          [size],
          'mysql',
        );
        assert.match(found ?? '', /the word DELIMITER with an accent/);
      }
    }
  });

  it('knows a word that ends in DELIMITER wherever a chunk cuts it, whatever its length, as no command', () => {
    for (const before of ['INSERT INTO a VALUES (1,', ''])
      for (const length of [1, 990, 991, 992, 999, 1000, 1001, 2000]) {
        const word = `${'x'.repeat(length)}DELIMITER`;
        const script = Buffer.from(`${before}${word} ;;\nSELECT 1;;\n`);
        const end = before.length + word.length;
        const cuts = [0, 1, 2, 4, 8, 9, 10, 11, 500, 1000].filter((back) => back <= word.length);
        for (const first of cuts)
          for (const second of cuts.filter((back) => back < first)) {
            const { refusal } = read(script, [end - first, first - second, script.length], 'mysql');
            assert.match(refusal ?? '', /the word DELIMITER/, `${before}${length}: ${first}, ${second}`);
          }
      }
  });
});

interface Reading {
  pieces: { kind: SqlPiece['kind']; bytes: Buffer; offset: number; copy?: unknown; isJoined?: undefined }[];
  refusal: string | undefined;
}

/** Rows may come in parts; here they are one. What is nobody else's, and chunks whose pieces were used, become garbage. */
function read(script: Buffer, sizes: readonly number[], dialect: SqlDialect): Reading {
  const lexer = new SqlLexer({ dialect });
  const pieces: Reading['pieces'] = [];
  const add = (piece: SqlPiece) => {
    const last = pieces.at(-1);
    const bytes = Buffer.from(piece.bytes);
    if (last?.kind === 'rows' && (piece.kind === 'rows' || piece.kind === 'rows-end')) {
      const all = Buffer.concat([last.bytes, bytes]);
      const end = piece.kind === 'rows' ? all.length : all.lastIndexOf('\n', -2) + 1;
      pieces.splice(-1, 1, { ...last, bytes: all.subarray(0, end) });
      if (end === 0) pieces.pop();
      if (piece.kind === 'rows-end')
        pieces.push({ kind: 'rows-end', bytes: all.subarray(end), offset: last.offset + end, isJoined: undefined });
    } else pieces.push({ ...piece, bytes, isJoined: undefined });
    if ('isJoined' in piece && piece.isJoined === true) piece.bytes.fill(GARBAGE);
  };
  try {
    for (let at = 0, n = 0; at < script.length; n++) {
      const size = sizes[n % sizes.length] ?? 1;
      const chunk = Buffer.from(script.subarray(at, at + size));
      for (const piece of lexer.push(chunk)) add(piece);
      chunk.fill(GARBAGE);
      at += size;
    }
    for (const piece of lexer.end()) add(piece);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    // What was read in a chunk before it was refused is not given at once, so only the refusal is compared.
    return { pieces: [], refusal: error.message.replaceAll(/byte \d+/g, 'byte') };
  }
  return { pieces, refusal: undefined };
}

/** A quote: what were still read of it would be another script. */
const GARBAGE = 0x27;
const dialects = fc.constantFrom<SqlDialect>('postgresql', 'mysql');
const FRAGMENTS = [
  ...[
    "'",
    "''",
    "E'",
    "e'",
    "\\'",
    '\\\\',
    '"',
    '""',
    '$$',
    '$a$',
    '$',
    '--',
    '-- ',
    '\n',
    '\r\n',
    '/*',
    '*/',
    '/*!',
    '/*!40101 ',
    '/*M!',
    '#',
  ],
  ...[
    ';',
    ';;',
    '(',
    ')',
    'a',
    'E',
    '1',
    '1e',
    ' ',
    'COPY t (a) FROM stdin;\n',
    'COPY',
    '\\.\n',
    '\n\\.\n',
    '\\',
    '`',
    'DELIMITER ;;\n',
    '//',
  ],
  ...[
    'CREATE FUNCTION f()',
    ' BEGIN ATOMIC ',
    ' END',
    ' CASE ',
    'U&',
    '\u00e9',
    '/',
    '-',
    '*',
    '\\restrict x\n',
    '\\-',
  ],
];
const scripts = fc
  .array(fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ maxLength: 4 })), { maxLength: 40 })
  .map((parts) => Buffer.from(parts.join(''), 'utf8'));

const NASTY = fc
  .array(
    fc.constantFrom(
      "'",
      '"',
      ';',
      '\n',
      '\\.',
      '\nCOPY t (a) FROM stdin;\n',
      '\n\\.\n',
      '$$',
      '$x$',
      '--',
      '/*',
      '*/',
      '\\',
      '\\! id\n',
      'a',
      '\xe9',
      ' ',
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));
const name = NASTY.map((text) => `"${text.replaceAll('"', '""')}"`);
const string = NASTY.map((text) => `'${text.replaceAll("'", "''")}'`);
const escapeString = NASTY.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`);
const body = NASTY.filter((text) => !text.includes('$')).chain((text) =>
  fc.constantFrom(`$$${text}$$`, `$f_1$${text}$$ $f_1$`),
);
const comment = fc.oneof(
  NASTY.map((text) => `--${text.replaceAll(/[\n\r]/g, ' ')}\n`),
  NASTY.filter((text) => !/[/*]/.test(text)).map((text) => `/*${text}/* nested; ' */ */`),
);
const plainStatement = fc
  .array(fc.oneof(name, string, escapeString, body, comment), { maxLength: 5 })
  .map((parts) => `SELECT ${parts.join(' , ')} ;`)
  .map((statement) => ({ text: statement, statement, rows: '' }));
const copy = fc
  .tuple(name, name, fc.array(NASTY.map((text) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n'))))
  .map(([table, column, lines]) => {
    const statement = `COPY ${table} (${column}) FROM stdin;`;
    const rows = lines.map((line) => `${line}\n`).join('');
    return { text: `${statement}\n${rows}\\.\n`, statement, rows };
  });
const hostileStatement = fc.oneof(plainStatement, copy);
