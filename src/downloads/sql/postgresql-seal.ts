import { postgresqlFailure } from './failure-sql.ts';
import { isHarmlessComment } from './harmless-comment.ts';
import { notSealable } from './not-sealable.ts';
import { PostgresqlStatements } from './postgresql-statements.ts';
import { emptied, mustBeEmpty } from './postgresql-target.ts';
import { RowHolder } from './row-holder.ts';
import type { Seal } from './sealed-stream.ts';
import { BYTE } from './sql-bytes.ts';
import type { SqlPiece } from './sql-lexer.ts';
import { oneLine, psqlArgument } from './sql-quoting.ts';
import { withoutVariables } from './without-variables.ts';

const NEWLINE = Buffer.from('\n');

/** What stands around and in place of the pieces of a PostgreSQL dump. */
export class PostgresqlSeal implements Seal {
  readonly dialect = 'postgresql';
  readonly footer = /^-- PostgreSQL database dump complete$/m;
  readonly head: string;
  readonly tail: string;
  readonly #statements = new PostgresqlStatements();
  #rows: RowHolder | undefined;

  constructor({ mode, title }: { mode: 'create' | 'replace'; title: string }) {
    this.head = head(oneLine(title), mode === 'replace' ? emptied() : mustBeEmpty());
    this.tail = `\nCOMMIT;\n\\set QUIET :holdfast_quiet\n\\unset holdfast_quiet\n\\echo ${psqlArgument(`${title}: complete`)}\n\\endif\n`;
  }

  *given(piece: SqlPiece): Generator<Buffer> {
    switch (piece.kind) {
      case 'gap':
        yield isHarmlessComment(piece.bytes) ? piece.bytes : NEWLINE;
        break;
      case 'statement':
        yield* this.#statement(piece);
        break;
      case 'rows':
        yield* this.#rows?.whole(piece.bytes) ?? [];
        break;
      case 'rows-end':
        yield* this.#rows?.rest() ?? [];
        yield piece.bytes;
        this.#rows = undefined;
        break;
      case 'command':
        refuseCommand(piece.bytes);
        break;
      case 'rest':
    }
  }

  failure(message: string): string {
    const endOfRows = this.#rows === undefined ? '\n' : this.#rows.isAtLineStart ? '\\.\n' : '\n\\.\n';
    return `${endOfRows}${postgresqlFailure(message)}`;
  }

  *#statement(piece: SqlPiece & { kind: 'statement' }): Generator<Buffer> {
    const bytes = piece.hasVariable ? withoutVariables(piece.bytes) : piece.bytes;
    const fate = piece.copy === undefined ? this.#statements.fate(bytes, piece.firstWord) : bytes;
    if (piece.copy !== undefined) this.#rows = new RowHolder();
    if (fate === undefined) return;
    if (fate.includes(BYTE.backslash)) yield this.#asRead();
    yield fate;
  }

  /**
   * Says again how strings and characters are to be read, before a statement that holds a backslash: functions of the dump run while it is
   * restored and can change either setting, after which psql could take a backslash in a string for a command.
   */
  #asRead(): Buffer {
    return Buffer.from(
      `\nSET standard_conforming_strings = on\\; SET client_encoding = '${this.#statements.encoding}';\n`,
    );
  }
}

/** What is left of `\echo` and `\endif` where the stream is cut behind their first letter is psql's command that opens an editor. */
function head(title: string, target: string): string {
  return `\\set ON_ERROR_STOP on
\\if true
\\setenv PSQL_EDITOR true
-- ${title}
--
-- This is for psql 10 or later: curl … | psql DATABASE
-- All is one transaction. If the stream is cut, psql ends with exit code 3 and the database stays as it was.
\\set ON_ERROR_ROLLBACK off
\\set holdfast_quiet :QUIET
\\set QUIET on
BEGIN;
SET standard_conforming_strings = on;
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
${target}
`;
}

/** Only the seal's own commands reach psql. */
function refuseCommand(line: Buffer): void {
  const name = /^\\([a-z]*)/.exec(line.toString('latin1', 0, 40))?.[1] ?? '';
  if (name === 'restrict' || name === 'unrestrict') return;
  const isConnect = name === 'c' || name === 'connect';
  throw notSealable(
    `it holds the psql command \\${name}`,
    isConnect
      ? 'It looks like the output of pg_dumpall or of pg_dump --create, which speaks of more than one database. Make the dump of the one database, without --create; or download it with seal=none.'
      : undefined,
  );
}
