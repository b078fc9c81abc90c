import type { SqlDialect } from '../../core/ports/service-download.ts';
import { DollarQuote } from './dollar-quote.ts';
import { MysqlDelimiter } from './mysql-delimiter.ts';
import { MysqlDollarQuote } from './mysql-dollar-quote.ts';
import { isAccentedDelimiter } from './mysql-letters.ts';
import { notSealable } from './not-sealable.ts';
import { pastPlainValues } from './plain-values.ts';
import { type Escapes, QuotedText } from './quoted-text.ts';
import { RoutineBody } from './routine-body.ts';
import { ScannedWord } from './scanned-word.ts';
import { BYTE, isDigit, isSpace, isWordByte, isWordStart } from './sql-bytes.ts';
import { SqlComments } from './sql-comments.ts';
import { VariableMark } from './variable-mark.ts';

/** What a statement is made of; white space and comments are left out. Positions are within the bytes that were scanned. */
export interface SqlToken {
  kind: 'word' | 'number' | 'name' | 'string' | 'symbol';
  start: number;
  end: number;
}

type State =
  | 'start'
  | 'code'
  | 'comment'
  | 'quoted'
  | 'word'
  | 'number'
  | 'dollar tag'
  | 'dollar quoted'
  | 'delimiter'
  | 'command line';

/**
 * Tells where statements begin and end, over bytes that come in any parts, as psql or the mysql client would. Where their versions
 * differ, or where their reading depends on what cannot be known here, it refuses.
 *
 * The rules for PostgreSQL are those of psql's psqlscan.l with standard_conforming_strings on; those for MySQL are add_line() of the
 * mysql and mariadb clients with neither NO_BACKSLASH_ESCAPES nor ANSI_QUOTES.
 */
export class SqlScanner {
  /** What the last call of `scan` came to, if it did not reach the end of its bytes. */
  event: 'begun' | 'ended' | 'command' | undefined;
  /** How many bytes before the end of the last scan the statement began that is `begun`. */
  begunBefore = 0;
  /** The statement's first word in lower case; empty where it begins with something else. */
  firstWord = '';

  readonly #isMysql: boolean;
  readonly #onToken: ((token: SqlToken) => void) | undefined;
  #state: State = 'start';
  #isInStatement = false;
  #tokens = 0;
  #tokenStart = 0;
  readonly #comments: SqlComments;
  #parentheses = 0;
  readonly #quoted = new QuotedText();
  #isAfterEscapeString = false;
  readonly #dollarQuote = new DollarQuote();
  readonly #mysqlDollarQuote = new MysqlDollarQuote();
  readonly #word: ScannedWord;
  #routine = new RoutineBody();
  readonly #variables = new VariableMark();
  readonly #delimiter: MysqlDelimiter;
  /** What is read next, or the statement that is open, has only white space before it on its line. */
  #isFirstOnLine = true;

  constructor(dialect: SqlDialect, delimiter = ';', onToken?: (token: SqlToken) => void) {
    this.#isMysql = dialect === 'mysql';
    this.#word = new ScannedWord({ holdsEnd: this.#isMysql });
    this.#comments = new SqlComments({ isMysql: this.#isMysql });
    this.#delimiter = new MysqlDelimiter(delimiter);
    this.#onToken = onToken;
  }

  get isInStatement(): boolean {
    return this.#isInStatement;
  }

  /** True in a comment between statements that has not ended. */
  get isInComment(): boolean {
    return !this.#isInStatement && this.#state === 'comment' && !this.#comments.isLine;
  }

  /** True where psql would put a variable of its own into the statement that is being read. */
  get hasVariable(): boolean {
    return this.#variables.isFound;
  }

  /** The mysql client's delimiter of statements. */
  get delimiter(): string {
    return this.#delimiter.value;
  }

  /**
   * Reads on from `from`. Returns where it stopped: at the end of the bytes, or earlier, with `event`.
   * @throws HoldfastError `dump-not-sealable`
   */
  scan(bytes: Uint8Array, from: number): number {
    this.event = undefined;
    const end = bytes.length;
    let at = from;
    while (at < end && this.event === undefined) at = this.#step(bytes, at, end);
    return at;
  }

  #step(bytes: Uint8Array, at: number, end: number): number {
    const byte = bytes[at] ?? 0;
    switch (this.#state) {
      case 'start':
        return this.#start(byte, at);
      case 'code':
        return this.#values(bytes, at, end) ?? this.#code(byte, at);
      case 'word':
        return this.#wordGoesOn(bytes, at, end);
      case 'number':
        return this.#numberGoesOn(bytes, at, end);
      case 'quoted':
        return this.#inQuotes(bytes, at);
      case 'dollar tag':
        return this.#dollarTag(byte, at);
      case 'dollar quoted':
        return this.#dollarQuoted(bytes, at);
      case 'delimiter':
        return this.#delimiterGoesOn(byte, at);
      case 'command line':
        return this.#commandLine(byte, at);
      default:
        return this.#comment(bytes, at);
    }
  }

  #start(byte: number, at: number): number {
    if (isSpace(byte)) this.#isFirstOnLine ||= byte === BYTE.newline;
    else if (byte === BYTE.dash || byte === BYTE.slash || (byte === BYTE.hash && this.#isMysql)) {
      this.#isFirstOnLine = false;
      this.#beginComment(byte);
    } else return this.#begin(at, 0, byte === BYTE.backslash ? 'command line' : 'code');
    return at + 1;
  }

  /** What may be one; see `SqlComments`. */
  #beginComment(byte: number): void {
    this.#comments.begin(byte);
    this.#state = 'comment';
  }

  #begin(at: number, before: number, state: State): number {
    this.#isInStatement = true;
    this.#state = state;
    this.event = 'begun';
    this.begunBefore = before;
    this.firstWord = '';
    this.#variables.reset();
    return at;
  }

  #code(byte: number, at: number): number {
    this.#tokenStart = at;
    if (this.#isMysql) this.#mysqlDollarQuote.byte(byte);
    else this.#variables.byte(byte);
    if (isSpace(byte)) {
      if (byte === BYTE.newline) this.#comments.conditional.newline();
      return at + 1;
    }
    // Names of MySQL may begin with digits.
    if (isWordStart(byte) || (this.#isMysql && isDigit(byte))) {
      this.#word.begin();
      this.#state = 'word';
      return at;
    }
    if (this.#delimiter.byte === byte) return this.#delimiterByte(at);
    switch (byte) {
      case BYTE.dash:
      case BYTE.slash:
        this.#beginComment(byte);
        return at + 1;
      case BYTE.quote:
      case BYTE.doubleQuote:
        return this.#openQuote(byte, at, this.#isMysql ? 'yes' : 'no');
      case BYTE.backslash:
        return this.#backslash(at);
      default:
    }
    if (isDigit(byte)) {
      this.#state = 'number';
      return at + 1;
    }
    if (this.#isMysql) {
      if (byte === BYTE.backquote) return this.#openQuote(byte, at, 'uncertain');
      if (byte === BYTE.hash || (byte === BYTE.star && this.#comments.conditional.isOpen)) {
        this.#beginComment(byte);
        return at + 1;
      }
    } else if (byte === BYTE.dollar) {
      this.#state = 'dollar tag';
      this.#dollarQuote.begin();
      return at + 1;
    } else if (byte === BYTE.open) this.#parentheses++;
    else if (byte === BYTE.close && this.#parentheses > 0) this.#parentheses--;
    this.#token('symbol', at + 1);
    return at + 1;
  }

  /** Where nobody is told of tokens, values of MySQL need not be told apart. Within a comment that servers run they may end with it. */
  #values(bytes: Uint8Array, at: number, end: number): number | undefined {
    if (!this.#isMysql || this.#onToken !== undefined || this.#tokens === 0) return undefined;
    if (this.#comments.conditional.isOpen || this.#mysqlDollarQuote.isOpen) return undefined;
    const next = pastPlainValues(bytes, at, end);
    if (next === at) return undefined;
    this.#mysqlDollarQuote.reset();
    return next;
  }

  #token(kind: SqlToken['kind'], end: number): void {
    this.#tokens++;
    this.#isAfterEscapeString = false;
    this.#onToken?.({ kind, start: this.#tokenStart, end });
    if (kind !== 'word') this.#routine.otherToken();
  }

  #delimiterByte(at: number): number {
    if (this.#isMysql) {
      this.#delimiter.beginMatch();
      this.#state = 'delimiter';
      return at;
    }
    this.#token('symbol', at + 1);
    if (this.#parentheses > 0) return at + 1;
    if (this.#routine.isOpen) this.#routine.statementEnd();
    else this.#endStatement('ended');
    return at + 1;
  }

  #endStatement(event: 'ended' | 'command'): void {
    this.event = event;
    this.#state = 'start';
    this.#isInStatement = false;
    this.#tokens = 0;
    this.#parentheses = 0;
    this.#isAfterEscapeString = false;
    this.#comments.hasSandboxMark = false;
    this.#isFirstOnLine = event === 'command';
    this.#routine.reset();
    this.#mysqlDollarQuote.reset();
  }

  #openQuote(byte: number, at: number, escapes: Escapes): number {
    if (this.#isAfterEscapeString && byte === BYTE.quote)
      throw notSealable("a string of the form E'…' is continued by another one");
    this.#comments.conditional.allowQuote();
    this.#quoted.begin(byte, escapes);
    this.#state = 'quoted';
    return at + 1;
  }

  #inQuotes(bytes: Uint8Array, from: number): number {
    const end = this.#quoted.endIn(bytes, from);
    if (end < 0) return bytes.length;
    const { quote, hasEscapes } = this.#quoted;
    const isName = quote === BYTE.backquote || (quote === BYTE.doubleQuote && !this.#isMysql);
    this.#token(isName ? 'name' : 'string', end);
    this.#isAfterEscapeString = hasEscapes && !this.#isMysql;
    this.#state = 'code';
    return end;
  }

  #wordGoesOn(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end && (isWordByte(bytes[at] ?? 0) || (bytes[at] === BYTE.dollar && !this.#isMysql))) at++;
    this.#word.add(bytes, from, at, this.#isMysql || this.#tokens === 0 || this.#routine.reads);
    if (at === end) return at;
    return this.#endWord(bytes[at] ?? 0, at);
  }

  #endWord(next: number, at: number): number {
    const { letters, length } = this.#word;
    const text = letters.toLowerCase();
    if (next === BYTE.quote && length === 1 && text === 'e' && !this.#isMysql) {
      // The string's token begins with its letter.
      return this.#openQuote(next, at, 'yes');
    }
    const isFirst = this.#tokens === 0;
    if (isFirst) this.firstWord = text;
    if (!this.#isMysql && this.#routine.reads) this.#routine.word(text, this.#parentheses > 0);
    this.#token('word', at);
    this.#state = 'code';
    if (this.#isMysql) this.#mysqlDollarQuote.wordEnd(letters.charCodeAt(letters.length - 1));
    if (this.#isMysql && isAccentedDelimiter(letters))
      throw notSealable('it has the word DELIMITER with an accent, which some clients take for their command');
    if (this.#isMysql && text.endsWith('delimiter') && next <= BYTE.space) {
      // Of a longer word the end alone may be known.
      const isInStatement = !isFirst || length > 'delimiter'.length || this.#comments.conditional.isOpen;
      this.#delimiter.begin({ next, isInStatement, isFirstOnLine: this.#isFirstOnLine });
      this.#state = 'command line';
    }
    return at;
  }

  #numberGoesOn(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end && (isWordByte(bytes[at] ?? 0) || bytes[at] === BYTE.dot)) at++;
    if (at === end) return at;
    const next = bytes[at];
    if (!this.#isMysql && (next === BYTE.quote || next === BYTE.doubleQuote || next === BYTE.dollar))
      throw notSealable('a number stands directly before a quote, which versions of psql read differently');
    this.#token('number', at);
    this.#state = 'code';
    return at;
  }

  #dollarTag(byte: number, at: number): number {
    const came = this.#dollarQuote.tagByte(byte);
    if (came === 'parameter') this.#state = 'number';
    else if (came === 'end') this.#state = 'dollar quoted';
    return at + 1;
  }

  #dollarQuoted(bytes: Uint8Array, at: number): number {
    const end = this.#dollarQuote.endIn(bytes, at);
    if (end < 0) return bytes.length;
    this.#token('string', end);
    this.#state = 'code';
    return end;
  }

  #delimiterGoesOn(byte: number, at: number): number {
    const match = this.#delimiter.match(byte);
    if (match === 'part') return at + 1;
    if (match === 'whole') {
      if (this.#comments.conditional.isOpen)
        throw notSealable('a statement ends within a comment of the form /*! … */');
      this.#token('symbol', at + 1);
      this.#endStatement('ended');
      return at + 1;
    }
    // Two dollar signs of DELIMITER $$$ begin a string as others do; the first one was looked at.
    for (let more = 1; more < this.#delimiter.matched; more++) this.#mysqlDollarQuote.byte(this.#delimiter.byte);
    this.#token('symbol', at);
    // All bytes of a delimiter are the same, so only a slash can be the beginning of something else.
    this.#state = 'code';
    if (this.#delimiter.byte === BYTE.slash) this.#beginComment(BYTE.slash);
    return at;
  }

  #commandLine(byte: number, at: number): number {
    if (byte !== BYTE.newline) {
      this.#delimiter.commandByte(byte);
      return at + 1;
    }
    if (this.#tokens > 0 && !this.#comments.hasSandboxMark) this.#delimiter.set();
    this.#endStatement('command');
    return at + 1;
  }

  #backslash(at: number): number {
    if (this.#isMysql && this.#comments.conditional.isOpen && this.#tokens === 0) {
      this.#comments.beginSandboxMark();
      this.#state = 'comment';
      return at + 1;
    }
    const what = this.#isMysql ? 'the mysql client' : 'psql';
    throw notSealable(`it holds a command for ${what}: a backslash in the midst of a statement and outside of quotes`);
  }

  #comment(bytes: Uint8Array, from: number): number {
    const at = this.#comments.step(bytes, from, this.#isInStatement);
    if (this.#comments.isBlock) this.#isAfterEscapeString = false;
    switch (this.#comments.event) {
      case 'operator':
        return this.#operator(at);
      case 'statement':
        return this.#begin(at, this.#comments.marks, 'comment');
      case 'over':
        this.#state = this.#isInStatement ? 'code' : 'start';
        return at;
      case 'sandbox':
        this.#state = 'command line';
        return at;
      default:
        return at;
    }
  }

  /** The byte before this one. */
  #operator(at: number): number {
    this.#tokenStart = at - 1;
    this.#state = 'code';
    if (!this.#isInStatement) this.#begin(at, 1, 'code');
    this.#token('symbol', at);
    return at;
  }
}
