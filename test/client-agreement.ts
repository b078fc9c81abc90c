import assert from 'node:assert/strict';
import fc from 'fast-check';
import { HoldfastError } from '../src/core/errors.ts';
import { MysqlSeal } from '../src/downloads/sql/mysql-seal.ts';
import { SqlLexer, type SqlPiece } from '../src/downloads/sql/sql-lexer.ts';
import { fed } from './sealed-sql-rig.ts';

/** Holds what the lexer reads against what a client sends to its server, in soups of quotes, comments and delimiters. */
export class ClientAgreement {
  readonly #program: string;
  readonly #options: readonly string[];
  readonly #runs: { numRuns: number; examples: [string][] };

  /** @param options the client's, to reach its server; @param numRuns how many soups */
  constructor(program: string, options: readonly string[], numRuns: number) {
    this.#program = program;
    this.#options = options;
    this.#runs = { numRuns, examples: EXAMPLES };
  }

  /** Of what is given as it is, the client keeps comments. */
  async assertSame(): Promise<void> {
    const property = fc.asyncProperty(soup, async (script) => {
      const { pieces } = read(script);
      fc.pre(!isReadWithComments(pieces));
      await this.#assertSeen(['--comments'], pieces);
    });
    await fc.assert(property, this.#runs);
  }

  /** Of what is sealed, whatever its options are. */
  async assertSameSealed(): Promise<void> {
    const property = fc.asyncProperty(soup, async (script) => {
      const { pieces } = read(script);
      const seal = new MysqlSeal('soup');
      // Of the statements, it is what stands between them that matters here.
      const given = pieces.map((piece) => ({
        kind: piece.kind,
        bytes: piece.kind === 'statement' ? piece.bytes : Buffer.concat([...seal.given(piece)]),
      }));
      await this.#assertSeen(['--comments'], given);
      // These show statements without the comments in them.
      const hasComments = pieces.some(
        ({ kind, bytes }) => kind === 'statement' && /#|--|\/\*(?!!)/.test(bytes.toString()),
      );
      if (!hasComments)
        for (const options of [['--skip-comments'], ['--skip-comments', '--binary-mode']])
          await this.#assertSeen(options, given);
    });
    await fc.assert(property, this.#runs);
  }

  async #assertSeen(options: readonly string[], pieces: readonly SqlPart[]): Promise<void> {
    const args = [...this.#options, '--force', '-vv', ...options];
    const { stdout } = await fed(this.#program, args, process.env, Buffer.concat(pieces.map(({ bytes }) => bytes)));
    const shown = [...stdout.matchAll(/^--------------\n(.*?)\n--------------\n/gms)].map(([, text]) => text!);
    // With --comments, one that has a line for itself is sent alone, one behind a statement with it, and others with the next one.
    const behind = (n: number) => /^[^\S\n]*((#|--\s).*)/.exec(pieces[n + 1]?.bytes.toString() ?? '')?.[1] ?? '';
    const text = ({ kind, bytes }: SqlPart, n: number) =>
      kind === 'statement' ? bytes.toString() + (options.includes('--comments') ? behind(n) : '') : '';
    const withoutComment = (statement: string) => statement.replace(/^[;/\s]*(#|--(\s|$)).*\n?/, '');
    const seen = shown.map((statement) => letters(withoutComment(statement))).filter(Boolean);
    const wanted = pieces.map((piece, n) => letters(withoutComment(text(piece, n)))).filter(Boolean);
    assert.equal(seen.length, wanted.length, JSON.stringify({ options, seen, wanted }));
    for (const [n, statement] of wanted.entries()) assert.ok(seen[n]!.endsWith(statement), `${seen[n]} | ${statement}`);
  }
}

const FRAGMENTS = [
  ...[
    "'",
    "''",
    "\\'",
    '\\\\',
    '"',
    '""',
    '`',
    '-- ',
    '--',
    '#',
    '\n',
    '/*',
    '*/',
    '/*!',
    '/*!40101 ',
    ';',
    ';\n',
    ';;',
    '(',
    'a',
    '1',
    ' ',
  ],
  ...[
    'SELECT 1',
    '/',
    '-',
    '*',
    "'x'",
    "'\\';'",
    '`;`',
    '/*;*/',
    '"\';"',
    '\nDELIMITER ;;\n',
    '\nDELIMITER ;\n',
    '\nDELIMITER //\n',
    '//',
    '\\',
  ],
  ...[
    '\t',
    '\r',
    '\f',
    '\v',
    ' \n',
    '-- a\n',
    '/* a */',
    '/*M!',
    '--\u0001',
    '/*/',
    '*/*',
    '# a\n',
    'DELIMITER //\n',
    '\n DELIMITER\t;\r\n',
    'delimiter ',
    '/*!*/',
    '/*M!*/',
    '$',
    '$$',
    '$a$',
    'a$',
  ],
];
const soup = fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 30 }).map((parts) => `SELECT 0;\n${parts.join('')}`);

/** What was once misread. */
const SOUPS_OF_OLD = ['SELECT 0;\n \nDELIMITER //\n', 'SELECT 0;\n  -- a\nDELIMITER //\nSELECT 1;//\n \t\n'];

const EXAMPLES = SOUPS_OF_OLD.map((script): [string] => [script]);

type SqlPart = Pick<SqlPiece, 'kind' | 'bytes'>;

/** The pieces up to where the lexer refuses or something is not whole. */
export function read(script: string): { pieces: SqlPiece[]; isRefused: boolean } {
  const lexer = new SqlLexer({ dialect: 'mysql' });
  const pieces: SqlPiece[] = [];
  const isWhole = ({ kind, bytes }: SqlPiece) => kind !== 'rest' && !(kind === 'command' && bytes[0] === 0x5c);
  try {
    for (const piece of lexer.push(Buffer.from(script))) {
      if (!isWhole(piece)) return { pieces, isRefused: false };
      pieces.push(piece);
    }
    pieces.push(...[...lexer.end()].filter(isWhole));
    return { pieces, isRefused: false };
  } catch (error) {
    assert.ok(error instanceof HoldfastError);
    return { pieces, isRefused: true };
  }
}

/** True where a client that keeps comments sends something that is none: before an empty statement, its own command or the very end. */
function isReadWithComments(pieces: readonly SqlPiece[]): boolean {
  return pieces.some((piece, n) => {
    const next = pieces[n + 1];
    if (piece.kind !== 'gap') return false;
    const gap = piece.bytes.toString();
    if (next?.kind === 'command') return /[^\n]/.test(gap);
    return gap.trim() !== '' && (next === undefined || letters(next.bytes.toString()) === '');
  });
}

/** The client shows statements without delimiters. */
function letters(text: string): string {
  return text.replaceAll(/[^a-z0-9]/gi, '');
}
