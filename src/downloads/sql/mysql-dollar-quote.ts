import { notSealable } from './not-sealable.ts';
import { BYTE, isDigit, isWordStart } from './sql-bytes.ts';

/**
 * Refuses `$$` and `$tag$` outside of quotes and comments. Clients of MySQL 9 take all up to the next one for a string, and look for neither quotes nor the end of
 * the statement in it; those before and those of MariaDB take it for code. Servers print the bodies of routines in JavaScript so.
 */
export class MysqlDollarQuote {
  /** `in word`: in the midst of a name, dollar signs belong to it. `open`: behind one that does not, and what may be a tag. */
  #state: 'none' | 'in word' | 'open' = 'none';

  /**
   * Takes the next byte of code; of a word, its first byte is enough.
   * @throws HoldfastError `dump-not-sealable`
   */
  byte(byte: number): void {
    if (byte === BYTE.dollar) {
      if (this.#state === 'open') throw dollarQuoted();
      if (this.#state === 'none') this.#state = 'open';
    } else if (!isWordStart(byte) && !isDigit(byte)) this.#state = 'none';
    else if (this.#state === 'none') this.#state = 'in word';
  }

  /** At the end of a word. What a byte beyond ASCII is (a letter, a sign, a blank) depends on the client's character set: no name may go on behind it. */
  wordEnd(last: number): void {
    if (last > BYTE.delete && this.#state === 'in word') this.#state = 'none';
  }

  /** True behind a dollar sign and what may be a tag, of which the next byte matters. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** At the end of a statement, and behind values that were not looked at byte by byte. */
  reset(): void {
    this.#state = 'none';
  }
}

function dollarQuoted() {
  return notSealable(
    'it holds a text between dollar signs ($$ … $$), as which servers of MySQL 9 print routines in JavaScript, and which clients read differently',
    'Make the dump without such routines (mysqldump without --routines), or download it with seal=none and look before you run it.',
  );
}
