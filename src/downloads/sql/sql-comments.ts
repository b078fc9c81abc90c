import { BlockComment } from './block-comment.ts';
import { ConditionalComment } from './conditional-comment.ts';
import { notSealable } from './not-sealable.ts';
import { BYTE, isDigit, isSpace } from './sql-bytes.ts';

type State =
  | 'dash'
  | 'two dashes'
  | 'slash'
  | 'opening'
  | 'opening M'
  | 'version'
  | 'sandbox mark'
  | 'star'
  | 'closed'
  | 'line'
  | 'block';

/**
 * What the bytes came to:
 *
 * - `operator`: the byte before this one was no mark of a comment
 * - `statement`: a comment whose content is run, which `marks` bytes before this one begin; it is to be read again within a statement
 * - `over`: what follows is code or white space
 * - `sandbox`: the end of the mark that takes commands from the mariadb client; it has no delimiter and stands on a line of its own
 */
export type CommentEvent = 'operator' | 'statement' | 'over' | 'sandbox' | undefined;

/** Tells comments from code, from the first byte of what may be one, over bytes that come in any parts. */
export class SqlComments {
  /** What the last call of `step` came to; undefined: it goes on. */
  event: CommentEvent;
  /** How many bytes of the mark of a comment whose content is run came before the last one. */
  marks = 0;
  hasSandboxMark = false;
  /** Stays open while its content is read as code. */
  readonly conditional = new ConditionalComment();
  readonly #isMysql: boolean;
  readonly #block: BlockComment;
  #state: State = 'line';

  constructor({ isMysql }: { isMysql: boolean }) {
    this.#isMysql = isMysql;
    this.#block = new BlockComment({ nests: !isMysql });
  }

  /** True from two dashes or a hash to the end of the line. */
  get isLine(): boolean {
    return this.#state === 'line' || this.#state === 'two dashes';
  }

  /** True from a slash and a star on. */
  get isBlock(): boolean {
    return this.#state === 'block' || this.#state === 'opening' || this.#state === 'opening M';
  }

  /** After a dash, a slash, a hash (only in MySQL), or a star in a conditional comment. */
  begin(byte: number): void {
    if (byte === BYTE.dash) this.#state = 'dash';
    else if (byte === BYTE.slash) this.#state = 'slash';
    else if (byte === BYTE.star) this.#state = 'star';
    else this.#beginLine();
  }

  /** After a backslash in a conditional comment. */
  beginSandboxMark(): void {
    this.#state = 'sandbox mark';
  }

  /**
   * Reads on from `at`. Returns where it stopped.
   * @throws HoldfastError `dump-not-sealable`
   */
  step(bytes: Uint8Array, at: number, isInStatement: boolean): number {
    this.event = undefined;
    const byte = bytes[at] ?? 0;
    switch (this.#state) {
      case 'dash':
        if (byte !== BYTE.dash) return this.#comesTo('operator', at);
        this.#state = this.#isMysql ? 'two dashes' : 'line';
        return at + 1;
      case 'two dashes':
        return this.#twoDashes(byte, at, isInStatement);
      case 'slash':
        if (byte !== BYTE.star) return this.#comesTo('operator', at);
        this.#block.begin();
        this.#state = this.#isMysql ? 'opening' : 'block';
        return at + 1;
      case 'opening':
      case 'opening M':
        return this.#opening(byte, at, isInStatement);
      case 'version':
        return isDigit(byte) ? at + 1 : this.#comesTo('over', at);
      case 'sandbox mark':
        if (byte !== BYTE.dash)
          throw notSealable('it holds a command for the mysql client within a comment of the form /*! … */');
        this.hasSandboxMark = true;
        return this.#comesTo('over', at + 1);
      case 'star':
        return this.#star(byte, at);
      case 'closed':
        return this.#closed(byte, at);
      case 'line':
        return this.#line(bytes, at);
      case 'block': {
        const end = this.#block.endIn(bytes, at);
        return end < 0 ? bytes.length : this.#comesTo('over', end);
      }
    }
  }

  #comesTo(event: CommentEvent, at: number): number {
    this.event = event;
    return at;
  }

  #beginLine(): void {
    this.conditional.allowLineComment();
    this.#state = 'line';
  }

  /** In MySQL, they begin a comment only if white space follows. */
  #twoDashes(byte: number, at: number, isInStatement: boolean): number {
    if (isSpace(byte)) {
      this.#beginLine();
      return at;
    }
    const isPlain = byte > BYTE.space && byte < BYTE.delete;
    if (!isPlain || !isInStatement)
      throw notSealable('it has two dashes without a space behind them, which clients and servers read differently');
    return this.#comesTo('over', at);
  }

  /** After a slash and a star in MySQL: a comment whose content is run, a hint, or a comment. */
  #opening(byte: number, at: number, isInStatement: boolean): number {
    const hasM = this.#state === 'opening M';
    if (byte === BYTE.exclamation) {
      this.marks = hasM ? 3 : 2;
      if (!isInStatement) return this.#comesTo('statement', at);
      this.conditional.open(hasM ? 'mariadb' : 'mysql');
      this.#state = 'version';
      return at + 1;
    }
    if (byte === BYTE.plus && !hasM)
      throw notSealable('it holds an optimizer hint, a comment that clients read differently');
    if (byte === BYTE.capitalM && !hasM) {
      this.#state = 'opening M';
      return at + 1;
    }
    this.conditional.allowComment();
    this.#state = 'block';
    return at;
  }

  #star(byte: number, at: number): number {
    if (byte !== BYTE.slash) return this.#comesTo('operator', at);
    this.conditional.close();
    if (this.hasSandboxMark) return this.#comesTo('sandbox', at + 1);
    this.#state = 'closed';
    return at + 1;
  }

  /** The client has not done with the slash at the end of a conditional comment. */
  #closed(byte: number, at: number): number {
    if (byte === BYTE.star || byte === BYTE.slash)
      throw notSealable(
        'a star or a slash follows a comment of the form /*! … */, and clients take it for something else',
      );
    return this.#comesTo('over', at);
  }

  #line(bytes: Uint8Array, from: number): number {
    let at = from;
    const isPsql = !this.#isMysql;
    while (at < bytes.length && bytes[at] !== BYTE.newline && !(isPsql && bytes[at] === BYTE.carriageReturn)) at++;
    return at < bytes.length ? this.#comesTo('over', at) : at;
  }
}
