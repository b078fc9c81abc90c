/**
 * Whether a spreadsheet that opens a CSV file would take a value for a formula that does something: OWASP, "CSV Injection". Numbers with a sign, also those of telephones,
 * compute at worst.
 */
export function looksLikeFormula(value: string): boolean {
  return FIRST.test(value) && !NUMBER.test(value);
}

const FIRST = /^[=+\-@\t\r]/;
const NUMBER = /^[+-]?[\d .,()/-]*(?:[eE][+-]?\d+)?$/;
