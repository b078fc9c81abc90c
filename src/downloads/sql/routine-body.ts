import { notSealable } from './not-sealable.ts';

/**
 * Follows the bodies of `CREATE [OR REPLACE] FUNCTION|PROCEDURE … BEGIN ATOMIC …; …; END`, in which a semicolon ends nothing. psql does
 * so since 14 and counts any word BEGIN outside parentheses; older ones stop with an error at the first semicolon. Whatever they could
 * read differently is refused.
 */
export class RoutineBody {
  #words: string[] = [];
  /** False as soon as the statement cannot be one of these. */
  #mayBeRoutine = true;
  #isRoutine = false;
  #depth = 0;
  #awaitsAtomic = false;

  /** True while the words of the statement matter. */
  get reads(): boolean {
    return this.#mayBeRoutine;
  }

  get isOpen(): boolean {
    return this.#depth > 0;
  }

  word(text: string, isInParentheses: boolean): void {
    if (!this.#isRoutine) this.#learn(text);
    if (!this.#isRoutine || isInParentheses) return;
    if (this.#awaitsAtomic) {
      if (text !== 'atomic') this.#refuse();
      this.#awaitsAtomic = false;
      this.#depth = 1;
    } else if (text === 'begin') {
      if (this.#depth > 0) this.#refuse();
      this.#awaitsAtomic = true;
    } else if (this.#depth > 0 && text === 'case') this.#depth++;
    else if (this.#depth > 0 && text === 'end') this.#depth--;
  }

  /** Anything but a word. */
  otherToken(): void {
    if (this.#awaitsAtomic) this.#refuse();
  }

  reset(): void {
    this.#words = [];
    this.#mayBeRoutine = true;
    this.#isRoutine = false;
    this.#depth = 0;
    this.#awaitsAtomic = false;
  }

  #learn(text: string): void {
    this.#words.push(text);
    if (text === 'create' && this.#words.length === 1) return;
    this.#isRoutine = /^create (or replace )?(function|procedure)$/.test(this.#words.join(' '));
    this.#mayBeRoutine = this.#isRoutine || /^create or( replace)?$/.test(this.#words.join(' '));
  }

  #refuse(): never {
    const words = this.#words.join(' ').toUpperCase();
    throw notSealable(
      `a ${words} statement has the word BEGIN where versions of psql disagree about where the statement ends`,
      'Write that name in double quotes, or download the dump with seal=none.',
    );
  }
}
