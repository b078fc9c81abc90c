import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../src/core/errors.ts';
import { SqlLexer, type SqlPiece } from '../src/downloads/sql/sql-lexer.ts';
import { withoutVariables } from '../src/downloads/sql/without-variables.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { Target, trustSocket } from './sealed-sql-rig.ts';

const RUNS = Math.ceil(Number(process.env.HOLDFAST_SEAL_CUTS ?? 60) / 5);

describe('the lexer and psql', { skip: SKIP_REASON }, () => {
  let server: PostgresqlServer;
  let target: Target;
  before(async () => {
    server = await PostgresqlServer.start();
    await trustSocket(server);
    target = await Target.make(server, 'agreement');
  });
  after(async () => {
    await target.close();
    await server.remove();
  });

  it('see the same statements in any soup of quotes, comments and semicolons', async () => {
    const log = path.join(server.folder, 'queries');
    await fc.assert(
      fc.asyncProperty(soup, async (script) => {
        const pieces = read(script);
        fc.pre(pieces !== undefined);
        await rm(log, { force: true });
        const given = Buffer.concat(pieces.map(asGiven));
        const { stderr } = await target.psql(given, '--no-psqlrc', '--log-file', log);
        assert.doesNotMatch(stderr, /invalid command/);
        const queries = [...(await readFile(log, 'utf8')).matchAll(/\*{9} QUERY \*{10}\n(.*?)\n\*{26}\n/gs)];
        const seen = queries.map(([, query]) => withoutSpace(query!));
        const wanted = pieces.filter(({ kind }) => kind !== 'gap').map(({ bytes }) => withoutSpace(bytes.toString()));
        assert.equal(seen.length, wanted.length);
        // Comments before a statement are part of it for one of them or the other.
        for (const [n, piece] of wanted.entries())
          assert.ok(seen[n]!.endsWith(piece) || piece.endsWith(seen[n]!), `${seen[n]} | ${piece}`);
      }),
      { numRuns: RUNS, examples: SOUPS_OF_OLD.map((script): [string] => [script]) },
    );
  });
});

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
    '$ab$',
    '--',
    '\n',
    '\r\n',
    '/*',
    '*/',
    ';',
    ';\n',
    '(',
    ')',
    'a',
    'E',
    '1',
    ' ',
  ],
  ...[
    'SELECT 1',
    '\\',
    'CREATE FUNCTION f()',
    ' BEGIN ATOMIC ',
    ' END',
    ' CASE ',
    'U&',
    'é',
    '/',
    '-',
    '*',
    "'x'",
    "E'\\''",
    '$a$;$a$',
    '/*;*/',
  ],
  ...['+', '"a;b"', ':', 'x$y$z', 'b', '\r', '\t', "N'"],
];
const soup = fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 30 }).map((parts) => `SELECT 0;\n${parts.join('')}`);

/** What was once misread: to psql, a variable ends before what to the server is the rest of a name. */
const SOUPS_OF_OLD = ["SELECT 0;\n:x$y$z;\n'", "SELECT 0;\n:x$y$z'$y$z;1"];

/** The pieces, with what is left at the end, which psql runs too; undefined where the lexer refuses or leaves a command to be refused. */
function read(script: string): SqlPiece[] | undefined {
  const lexer = new SqlLexer({ dialect: 'postgresql' });
  let pieces: SqlPiece[];
  try {
    pieces = [...lexer.push(Buffer.from(script)), ...lexer.end()];
  } catch (error) {
    assert.ok(error instanceof HoldfastError);
    return undefined;
  }
  // psql sends a comment at the very end as a query of its own.
  const last = pieces.at(-1);
  if (last?.kind === 'gap' && last.bytes.includes('/*')) return undefined;
  const isCommand = ({ kind, bytes }: SqlPiece) => kind === 'command' || (kind !== 'gap' && bytes[0] === 0x5c);
  return pieces.some(isCommand) ? undefined : pieces;
}

/** A seal gives statements without psql's variables, which these two see differently. */
function asGiven({ kind, bytes }: SqlPiece): Buffer {
  return kind === 'gap' ? bytes : withoutVariables(bytes);
}

function withoutSpace(text: string): string {
  return text.replaceAll(/\s/g, '');
}
