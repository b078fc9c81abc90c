/**
 * What is left of a text where a database looks away from as much as any collation does: case, accents, widths, spaces at the end. Two texts that differ here differ in
 * every database; two that are equal here may be equal in some.
 */
export function looseText(text: string): string {
  if (!NOT_ASCII.test(text)) return text.toLowerCase().trimEnd();
  return text.normalize('NFKD').replace(MARKS, '').toUpperCase().toLowerCase().trimEnd();
}

const NOT_ASCII = /[^\0-\x7f]/;
const MARKS = /\p{M}/gu;
