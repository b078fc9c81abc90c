import type { SqlDialect } from '../../core/ports/service-download.ts';
import { BlockComment } from './block-comment.ts';
import { DollarQuote } from './dollar-quote.ts';
import { notSealable } from './not-sealable.ts';
import { pastPlainValues } from './plain-values.ts';
import { RoutineBody } from './routine-body.ts';
import { BYTE, isDigit, isSpace, isWordByte, isWordStart } from './sql-bytes.ts';
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
  | 'dash'
  | 'two dashes'
  | 'slash'
  | 'star'
  | 'line comment'
  | 'comment'
  | 'comment opening'
  | 'comment opening M'
  | 'conditional version'
  | 'sandbox mark'
  | 'quoted'
  | 'quoted escape'
  | 'quote closed'
  | 'word'
  | 'number'
  | 'dollar tag'
  | 'dollar quoted'
  | 'delimiter'
  | 'command line';

const LONGEST_WORD = 1000;
const COMMAND_WORD = 'delimiter'.length;

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
  readonly #blockComment: BlockComment;
  #parentheses = 0;
  #quote = 0;
  #hasEscapes = false;
  #isAfterEscapeString = false;
  #conditional: 'none' | 'mysql' | 'mariadb' = 'none';
  #hasSandboxMark = false;
  readonly #dollarQuote = new DollarQuote();
  #word = '';
  #wordLength = 0;
  #routine = new RoutineBody();
  readonly #variables = new VariableMark();
  #delimiter: string;
  #delimiterMatched = 0;
  #line = '';

  constructor(dialect: SqlDialect, delimiter = ';', onToken?: (token: SqlToken) => void) {
    this.#isMysql = dialect === 'mysql';
    this.#blockComment = new BlockComment({ nests: dialect === 'postgresql' });
    this.#delimiter = delimiter;
    this.#onToken = onToken;
  }

  get isInStatement(): boolean {
    return this.#isInStatement;
  }

  /** True in a comment between statements that has not ended. */
  get isInComment(): boolean {
    return (
      !this.#isInStatement && this.#state !== 'start' && this.#state !== 'line comment' && this.#state !== 'two dashes'
    );
  }

  /** True where psql would put a variable of its own into the statement that is being read. */
  get hasVariable(): boolean {
    return this.#variables.isFound;
  }

  /** The mysql client's delimiter of statements. */
  get delimiter(): string {
    return this.#delimiter;
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
        return this.#quoted(bytes, at, end);
      case 'quoted escape':
        this.#state = 'quoted';
        return at + 1;
      case 'quote closed':
        return this.#quoteClosed(byte, at);
      case 'dollar tag':
        return this.#dollarTag(byte, at);
      case 'dollar quoted':
        return this.#dollarQuoted(bytes, at);
      case 'delimiter':
        return this.#delimiterGoesOn(byte, at);
      case 'command line':
        return this.#commandLine(byte, at);
      default:
        return this.#comment(bytes, at, end, byte);
    }
  }

  #start(byte: number, at: number): number {
    if (isSpace(byte)) return at + 1;
    if (byte === BYTE.dash) this.#state = 'dash';
    else if (byte === BYTE.slash) this.#state = 'slash';
    else if (byte === BYTE.hash && this.#isMysql) this.#state = 'line comment';
    else if (byte === BYTE.backslash) return this.#begin(at, 0, 'command line');
    else return this.#begin(at, 0, 'code');
    return at + 1;
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
    this.#variables.byte(byte);
    if (isSpace(byte)) return at + 1;
    // Names of MySQL may begin with digits.
    if (isWordStart(byte) || (this.#isMysql && isDigit(byte))) {
      this.#word = '';
      this.#wordLength = 0;
      this.#state = 'word';
      return at;
    }
    if (this.#delimiter.charCodeAt(0) === byte) return this.#delimiterByte(at);
    switch (byte) {
      case BYTE.dash:
        this.#state = 'dash';
        return at + 1;
      case BYTE.slash:
        this.#state = 'slash';
        return at + 1;
      case BYTE.quote:
      case BYTE.doubleQuote:
        return this.#openQuote(byte, at, this.#isMysql);
      case BYTE.backslash:
        return this.#backslash(at);
      default:
    }
    if (isDigit(byte)) {
      this.#state = 'number';
      return at + 1;
    }
    if (this.#isMysql) {
      if (byte === BYTE.backquote) return this.#openQuote(byte, at, false);
      if (byte === BYTE.hash || (byte === BYTE.star && this.#conditional !== 'none')) {
        this.#state = byte === BYTE.hash ? 'line comment' : 'star';
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
    if (!this.#isMysql || this.#onToken !== undefined || this.#conditional !== 'none' || this.#tokens === 0)
      return undefined;
    const next = pastPlainValues(bytes, at, end);
    return next > at ? next : undefined;
  }

  #token(kind: SqlToken['kind'], end: number): void {
    this.#tokens++;
    this.#isAfterEscapeString = false;
    this.#onToken?.({ kind, start: this.#tokenStart, end });
    if (kind !== 'word') this.#routine.otherToken();
  }

  #delimiterByte(at: number): number {
    if (this.#isMysql) {
      this.#delimiterMatched = 0;
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
    this.#hasSandboxMark = false;
    this.#line = '';
    this.#routine.reset();
  }

  #openQuote(byte: number, at: number, hasEscapes: boolean): number {
    if (this.#isAfterEscapeString && byte === BYTE.quote)
      throw notSealable("a string of the form E'…' is continued by another one");
    if (this.#conditional === 'mariadb')
      throw notSealable('a comment of the form /*M!… */ holds a quote, and clients disagree about its end');
    this.#quote = byte;
    this.#hasEscapes = hasEscapes;
    this.#state = 'quoted';
    return at + 1;
  }

  #quoted(bytes: Uint8Array, from: number, end: number): number {
    const quote = this.#quote;
    const hasEscapes = this.#hasEscapes;
    for (let at = from; at < end; at++) {
      const byte = bytes[at];
      if (byte === quote) {
        this.#state = 'quote closed';
        return at + 1;
      }
      if (hasEscapes && byte === BYTE.backslash) {
        this.#state = 'quoted escape';
        return at + 1;
      }
    }
    return end;
  }

  #quoteClosed(byte: number, at: number): number {
    if (byte === this.#quote) {
      this.#state = 'quoted';
      return at + 1;
    }
    const isName = this.#quote === BYTE.backquote || (this.#quote === BYTE.doubleQuote && !this.#isMysql);
    this.#token(isName ? 'name' : 'string', at);
    this.#isAfterEscapeString = this.#hasEscapes && !this.#isMysql;
    this.#state = 'code';
    return at;
  }

  #wordGoesOn(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end && (isWordByte(bytes[at] ?? 0) || (bytes[at] === BYTE.dollar && !this.#isMysql))) at++;
    if ((this.#isMysql || this.#tokens === 0 || this.#routine.reads) && this.#wordLength < LONGEST_WORD)
      for (let each = from; each < at; each++) this.#word += String.fromCharCode(bytes[each] ?? 0);
    else if (this.#wordLength === 0) this.#word = String.fromCharCode(bytes[from] ?? 0);
    this.#wordLength += at - from;
    if (this.#isMysql && this.#wordLength > LONGEST_WORD) this.#holdEnd(bytes, from, at);
    if (at === end) return at;
    return this.#endWord(bytes[at] ?? 0, at);
  }

  /** A blob in hex is a long word. Of one that is too long no more is known than how it ends. */
  #holdEnd(bytes: Uint8Array, from: number, to: number): void {
    const last = Buffer.from(bytes.subarray(Math.max(from, to - COMMAND_WORD), to)).toString('latin1');
    this.#word = `${this.#word}${last}`.slice(-COMMAND_WORD);
  }

  #endWord(next: number, at: number): number {
    const text = this.#word.toLowerCase();
    if (next === BYTE.quote && this.#wordLength === 1 && text === 'e' && !this.#isMysql) {
      // The string's token begins with its letter.
      return this.#openQuote(next, at, true);
    }
    const isFirst = this.#tokens === 0;
    if (isFirst) this.firstWord = text;
    if (!this.#isMysql && this.#routine.reads) this.#routine.word(text, this.#parentheses > 0);
    this.#token('word', at);
    this.#state = 'code';
    if (this.#isMysql && text.endsWith('delimiter') && next <= BYTE.space)
      this.#delimiterCommand(isFirst && text === 'delimiter');
    return at;
  }

  /** The mysql client looks for this word wherever it stands outside of quotes and comments, at the end of other words too. */
  #delimiterCommand(isAtStart: boolean): void {
    if (!isAtStart || this.#conditional !== 'none')
      throw notSealable(
        'it has the word DELIMITER in the midst of a statement, which the mysql client takes for a command',
      );
    this.#state = 'command line';
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
    const delimiter = this.#delimiter;
    if (byte === delimiter.charCodeAt(0)) {
      this.#delimiterMatched++;
      if (this.#delimiterMatched < delimiter.length) return at + 1;
      if (this.#conditional !== 'none') throw notSealable('a statement ends within a comment of the form /*! … */');
      this.#token('symbol', at + 1);
      this.#endStatement('ended');
      return at + 1;
    }
    this.#token('symbol', at);
    // All bytes of a delimiter are the same, so only a slash can be the beginning of something else.
    this.#state = delimiter.startsWith('/') ? 'slash' : 'code';
    return at;
  }

  #commandLine(byte: number, at: number): number {
    if (byte !== BYTE.newline) {
      if (this.#line.length < 200) this.#line += String.fromCharCode(byte);
      return at + 1;
    }
    if (this.#tokens > 0 && !this.#hasSandboxMark) this.#setDelimiter(this.#line.trim());
    this.#endStatement('command');
    return at + 1;
  }

  #setDelimiter(wanted: string): void {
    if (!/^([;$/|@~^])\1{0,7}$/.test(wanted))
      throw notSealable('a DELIMITER command sets a delimiter other than ;; $$ // or the like');
    this.#delimiter = wanted;
  }

  #backslash(at: number): number {
    if (this.#isMysql && this.#conditional !== 'none' && this.#tokens === 0) {
      this.#state = 'sandbox mark';
      return at + 1;
    }
    const what = this.#isMysql ? 'the mysql client' : 'psql';
    throw notSealable(`it holds a command for ${what}: a backslash in the midst of a statement and outside of quotes`);
  }

  #comment(bytes: Uint8Array, at: number, end: number, byte: number): number {
    switch (this.#state) {
      case 'dash':
        if (byte === BYTE.dash) this.#state = this.#isMysql ? 'two dashes' : 'line comment';
        else return this.#noComment(at);
        return at + 1;
      case 'two dashes':
        if (byte > BYTE.space && !this.#isInStatement)
          throw notSealable('a line begins with two dashes and no space, which clients and servers read differently');
        this.#state = byte <= BYTE.space ? 'line comment' : 'code';
        return at;
      case 'slash':
        if (byte !== BYTE.star) return this.#noComment(at);
        this.#blockComment.begin();
        this.#state = this.#isMysql ? 'comment opening' : 'comment';
        this.#isAfterEscapeString = false;
        return at + 1;
      case 'comment opening':
      case 'comment opening M':
        return this.#commentOpening(byte, at);
      case 'conditional version':
        if (isDigit(byte)) return at + 1;
        this.#state = 'code';
        return at;
      case 'sandbox mark':
        if (byte !== BYTE.dash)
          throw notSealable('it holds a command for the mysql client within a comment of the form /*! … */');
        this.#hasSandboxMark = true;
        this.#state = 'code';
        return at + 1;
      case 'star':
        return this.#conditionalStar(byte, at);
      case 'line comment':
        return this.#lineComment(bytes, at, end);
      default:
        return this.#inBlockComment(bytes, at);
    }
  }

  /** The dash or slash before this byte was an operator. */
  #noComment(at: number): number {
    this.#tokenStart = at - 1;
    this.#state = 'code';
    if (!this.#isInStatement) this.#begin(at, 1, 'code');
    this.#token('symbol', at);
    return at;
  }

  /** After `/*` in MySQL: a comment whose content is run, a hint, or a comment. */
  #commentOpening(byte: number, at: number): number {
    const hasM = this.#state === 'comment opening M';
    if (byte === BYTE.exclamation) {
      this.#conditional = hasM ? 'mariadb' : 'mysql';
      if (!this.#isInStatement) return this.#begin(at, hasM ? 3 : 2, this.#state);
      this.#state = 'conditional version';
      return at + 1;
    }
    if (byte === BYTE.plus && !hasM)
      throw notSealable('it holds an optimizer hint, a comment that clients read differently');
    if (byte === BYTE.capitalM && !hasM) {
      this.#state = 'comment opening M';
      return at + 1;
    }
    this.#state = 'comment';
    return at;
  }

  #conditionalStar(byte: number, at: number): number {
    if (byte !== BYTE.slash) {
      this.#token('symbol', at);
      this.#state = 'code';
      return at;
    }
    this.#conditional = 'none';
    this.#state = 'code';
    // That mark has no delimiter and stands on a line of its own.
    if (this.#hasSandboxMark) this.#state = 'command line';
    return at + 1;
  }

  #lineComment(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end && bytes[at] !== BYTE.newline && (this.#isMysql || bytes[at] !== BYTE.carriageReturn)) at++;
    if (at < end) this.#state = this.#isInStatement ? 'code' : 'start';
    return at;
  }

  #inBlockComment(bytes: Uint8Array, at: number): number {
    const end = this.#blockComment.endIn(bytes, at);
    if (end < 0) return bytes.length;
    this.#state = this.#isInStatement ? 'code' : 'start';
    return end;
  }
}
