import { notSealable } from './not-sealable.ts';
import { BYTE } from './sql-bytes.ts';

/**
 * What the mysql client ends statements with, and its command that sets it: `DELIMITER //`.
 *
 * All clients see that command where only white space is before it on its line, a blank or a tab is behind it, and no statement is open.
 * Elsewhere, those of MySQL see it too, also at the end of other words; those of MariaDB do not.
 */
export class MysqlDelimiter {
  readonly #line: number[] = [];
  #value: string;
  #matched = 0;

  constructor(value: string) {
    this.#value = value;
  }

  get value(): string {
    return this.#value;
  }

  /** All of its bytes are the same. */
  get byte(): number {
    return this.#value.charCodeAt(0);
  }

  beginMatch(): void {
    this.#matched = 0;
  }

  /** How many of its bytes came since `beginMatch`. */
  get matched(): number {
    return this.#matched;
  }

  /** Takes a byte that may be the next one of the delimiter. */
  match(byte: number): 'none' | 'part' | 'whole' {
    if (byte !== this.byte) return 'none';
    this.#matched++;
    return this.#matched < this.#value.length ? 'part' : 'whole';
  }

  /**
   * After a word that ends with `delimiter`.
   * @throws HoldfastError `dump-not-sealable` where not every client takes it for the command
   */
  begin(given: { next: number; isInStatement: boolean; isFirstOnLine: boolean }): void {
    if (given.isInStatement)
      throw notSealable(
        'it has the word DELIMITER in the midst of a statement, which the mysql client takes for a command',
      );
    if (!given.isFirstOnLine || (given.next !== BYTE.space && given.next !== BYTE.tab))
      throw notSealable('it has a DELIMITER command that is not alone on its line, which clients read differently');
    this.#line.length = 0;
  }

  /** A byte of the rest of the command's line. */
  commandByte(byte: number): void {
    if (this.#line.length < 200) this.#line.push(byte);
  }

  /**
   * At the end of the command's line.
   * @throws HoldfastError `dump-not-sealable`
   */
  set(): void {
    const wanted = String.fromCharCode(...this.#line).trim();
    if (!/^([;$/|@~^])\1{0,7}$/.test(wanted))
      throw notSealable('a DELIMITER command sets a delimiter other than ;; $$ // or the like');
    this.#value = wanted;
  }
}
