import { BYTE, isWordByte } from './sql-bytes.ts';

/** Notices variables of psql, in the bytes of a statement outside of quotes and comments: `:name`, `:'name'`, `:"name"`, `:{?name}`. */
export class VariableMark {
  #isFound = false;
  #isAfterColon = false;

  get isFound(): boolean {
    return this.#isFound;
  }

  byte(byte: number): void {
    if (byte === BYTE.colon) {
      // Two of them are a cast.
      this.#isAfterColon = !this.#isAfterColon;
      return;
    }
    if (this.#isAfterColon && isVariableStart(byte)) this.#isFound = true;
    this.#isAfterColon = false;
  }

  reset(): void {
    this.#isFound = false;
    this.#isAfterColon = false;
  }
}

/** Whether psql takes a colon before this byte for the beginning of a variable. */
export function isVariableStart(byte: number): boolean {
  return isWordByte(byte) || byte === BYTE.quote || byte === BYTE.doubleQuote || byte === BYTE.openBrace;
}
