import { notSealable } from './not-sealable.ts';

/**
 * A comment of MySQL whose content is run: one that begins with a slash, a star and `!`, or `M!` for MariaDB alone.
 *
 * The mysql client reads its content as code, with rules of its own that no server has: on the line that it begins on, another comment
 * within ends with the second mark of an end; and the slash at its end may be the first byte of something else. For the client of MySQL,
 * the form with `M!` is an ordinary comment. What is read in several ways by that is refused: a string for one is a command for another.
 */
export class ConditionalComment {
  #form: 'mysql' | 'mariadb' | undefined;
  #isOnFirstLine = false;

  get isOpen(): boolean {
    return this.#form !== undefined;
  }

  /** @throws HoldfastError `dump-not-sealable` within another one */
  open(form: 'mysql' | 'mariadb'): void {
    if (this.isOpen) throw notSealable('a comment of the form /*! … */ holds another one');
    this.#form = form;
    this.#isOnFirstLine = true;
  }

  close(): void {
    this.#form = undefined;
  }

  newline(): void {
    this.#isOnFirstLine = false;
  }

  /** @throws HoldfastError `dump-not-sealable` where clients disagree about the end of a comment that begins here */
  allowComment(): void {
    if (this.#form === 'mariadb' || (this.isOpen && this.#isOnFirstLine))
      throw notSealable('a comment of the form /*! … */ holds another comment, and clients disagree about its end');
  }

  /** @throws HoldfastError `dump-not-sealable` where clients disagree about the end of the line */
  allowLineComment(): void {
    if (this.#form === 'mariadb') this.allowComment();
  }

  /** @throws HoldfastError `dump-not-sealable` where clients disagree about what begins here */
  allowQuote(): void {
    if (this.#form === 'mariadb')
      throw notSealable('a comment of the form /*M!… */ holds a quote, and clients disagree about its end');
  }
}
