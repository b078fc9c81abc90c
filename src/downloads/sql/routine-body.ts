import { notSealable } from './not-sealable.ts';

/**
 * Follows the bodies of `CREATE [OR REPLACE] FUNCTION|PROCEDURE … BEGIN ATOMIC …; …; END`, in which a semicolon ends nothing. psql does
 * so since 14 and counts the words BEGIN, CASE and END outside parentheses; older ones stop with an error at the first semicolon.
 * Whatever they or the server could read differently is refused: to the server the body ends with the first END that stands where a
 * statement could begin, and CASE and END may be names of columns.
 */
export class RoutineBody {
  #words: string[] = [];
  /** False as soon as the statement cannot be one of these. */
  #mayBeRoutine = true;
  #isRoutine = false;
  #depth = 0;
  #awaitsAtomic = false;
  #isAtStatement = false;

  /** True while the words of the statement matter. */
  get reads(): boolean {
    return this.#mayBeRoutine;
  }

  get isOpen(): boolean {
    return this.#depth > 0;
  }

  word(text: string, isInParentheses: boolean): void {
    if (!this.#isRoutine) this.#learn(text);
    const isAtStatement = this.#isAtStatement;
    this.#isAtStatement = false;
    if (!this.#isRoutine || isInParentheses) return;
    if (this.#awaitsAtomic) {
      if (text !== 'atomic') this.#refuse('BEGIN');
      this.#awaitsAtomic = false;
      this.#isAtStatement = true;
      this.#depth = 1;
    } else if (text === 'begin') {
      if (this.#depth > 0) this.#refuse('BEGIN');
      this.#awaitsAtomic = true;
    } else if (this.#depth > 0 && text === 'case') this.#depth++;
    else if (this.#depth > 0 && text === 'end') {
      this.#depth--;
      if ((this.#depth === 0) !== isAtStatement) this.#refuse('CASE or END');
    }
  }

  /** Anything but a word. */
  otherToken(): void {
    if (this.#awaitsAtomic) this.#refuse('BEGIN');
    this.#isAtStatement = false;
  }

  /** After a semicolon within the body and outside parentheses. */
  statementEnd(): void {
    this.#isAtStatement = true;
  }

  reset(): void {
    this.#words = [];
    this.#mayBeRoutine = true;
    this.#isRoutine = false;
    this.#depth = 0;
    this.#awaitsAtomic = false;
    this.#isAtStatement = false;
  }

  #learn(text: string): void {
    this.#words.push(text);
    if (text === 'create' && this.#words.length === 1) return;
    this.#isRoutine = /^create (or replace )?(function|procedure)$/.test(this.#words.join(' '));
    this.#mayBeRoutine = this.#isRoutine || /^create or( replace)?$/.test(this.#words.join(' '));
  }

  #refuse(word: string): never {
    const words = this.#words.join(' ').toUpperCase();
    throw notSealable(
      `a ${words} statement has the word ${word} where psql, its versions and the server disagree about where the statement ends`,
      'Write that name in double quotes, or download the dump with seal=none.',
    );
  }
}
