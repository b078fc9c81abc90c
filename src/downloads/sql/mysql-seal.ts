import { mysqlFailure } from './failure-sql.ts';
import { isHarmlessComment } from './harmless-comment.ts';
import { MARKER_TABLE, mysqlStatementFate } from './mysql-statements.ts';
import { notSealable } from './not-sealable.ts';
import type { Seal } from './sealed-stream.ts';
import { BYTE } from './sql-bytes.ts';
import type { SqlPiece } from './sql-lexer.ts';
import { mysqlMessage, oneLine } from './sql-quoting.ts';

const NEWLINE = Buffer.from('\n');
const NOT_EMPTY = 'this database is not empty; nothing was changed';

/**
 * What stands around and in place of the pieces of a dump of MySQL or MariaDB. They commit each change of the schema at once, so a table
 * marks the database as incomplete until the end.
 */
export class MysqlSeal implements Seal {
  readonly dialect = 'mysql';
  readonly footer = /^-- Dump completed( on .*)?$/m;
  readonly head: string;
  readonly tail: string;
  #delimiter = ';';

  constructor(title: string) {
    this.head = head(oneLine(title));
    this.tail = `\nDELIMITER ;\nDROP TABLE \`${MARKER_TABLE}\`;\nSELECT ${mysqlMessage(`${title}: complete`)} AS snapshot;\n`;
  }

  *given(piece: SqlPiece): Generator<Buffer> {
    switch (piece.kind) {
      case 'gap':
        yield harmlessGap(piece.bytes);
        break;
      case 'statement':
        yield* this.#statement(piece.bytes, piece.firstWord);
        break;
      case 'command':
        yield* this.#command(piece.bytes.toString('latin1'));
        break;
      default:
    }
  }

  failure(message: string): string {
    return `\nDELIMITER ;\n${mysqlFailure(message)}`;
  }

  *#statement(bytes: Buffer, firstWord: string): Generator<Buffer> {
    const fate = mysqlStatementFate(bytes, firstWord, this.#delimiter);
    if (fate === undefined) return;
    if (fate.includes(BYTE.backslash)) yield this.#asRead();
    yield fate;
  }

  /** Backslashes in strings are escapes, whatever an earlier statement made of it: the client would look for commands in them otherwise. */
  #asRead(): Buffer {
    const statement = "SET sql_mode = IF(@@sql_mode REGEXP 'NO_BACKSLASH|ANSI', 'NO_AUTO_VALUE_ON_ZERO', @@sql_mode)";
    return Buffer.from(`\n${statement}${this.#delimiter}\n`);
  }

  *#command(line: string): Generator<Buffer> {
    const delimiter = /^delimiter\s+(\S+)\s*$/i.exec(line)?.[1];
    if (delimiter !== undefined) {
      this.#delimiter = delimiter;
      yield Buffer.from(`\nDELIMITER ${delimiter}\n`);
    } else if (!/^\/\*M?!999999\\- enable the sandbox mode \*\/\s*$/.test(line)) {
      throw notSealable('it holds a command for the mysql client');
    }
  }
}

/**
 * What mariadb --comments sends with the next line instead of looking for a DELIMITER command there is left out: block comments, and
 * white space before a comment or on a line of its own.
 */
function harmlessGap(bytes: Buffer): Buffer {
  if (!isHarmlessComment(bytes) || bytes.includes('/*')) return NEWLINE;
  return Buffer.from(bytes.toString('latin1').replaceAll(/^[ \t]+/gm, ''), 'latin1');
}

function head(title: string): string {
  return `-- ${title}
--
-- This is for the mysql or mariadb client: curl … | mariadb DATABASE
-- The table ${MARKER_TABLE} is there until all is loaded. While it is there, do not use the database.
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
SET @holdfast_things = (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE())
  + (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE());
SET @holdfast_check = IF(@holdfast_things = 0, 'DO 0', 'SELECT 1 FROM \`${NOT_EMPTY}\`');
PREPARE holdfast_check FROM @holdfast_check;
EXECUTE holdfast_check;
DEALLOCATE PREPARE holdfast_check;
CREATE TABLE \`${MARKER_TABLE}\` (snapshot VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL, started TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
INSERT INTO \`${MARKER_TABLE}\` (snapshot) VALUES (${mysqlMessage(title)});
`;
}
