/** A run of code points whose members stand for each other: what is masked keeps its script and its case. */
export interface Alphabet {
  first: number;
  size: number;
}

/** Digits, then letters by script, and by case where a script has them in runs. Runs hold assigned letters alone, so that fonts and encodings have whatever comes out. */
const RUNS: readonly (readonly [first: string, last: string])[] = [
  ['0', '9'],
  ['a', 'z'],
  ['A', 'Z'],
  ['ß', 'ö'],
  ['ø', 'ÿ'],
  ['À', 'Ö'],
  ['Ø', 'Þ'],
  ['\u0100', '\u0137'],
  ['\u0139', '\u0148'],
  ['\u014a', '\u0177'],
  ['\u0180', '\u024f'],
  ['\u1e00', '\u1eff'],
  ['\u0300', '\u036f'],
  ['Έ', 'Ί'],
  ['Α', 'Ρ'],
  ['Σ', 'Ω'],
  ['ά', 'ΰ'],
  ['α', 'ω'],
  ['ϊ', 'ώ'],
  ['Ѐ', 'Џ'],
  ['А', 'Я'],
  ['а', 'я'],
  ['ѐ', 'џ'],
  ['\u048a', '\u052f'],
  ['Ա', 'Ֆ'],
  ['ա', 'և'],
  ['א', 'ת'],
  ['\u0621', '\u063a'],
  ['\u0641', '\u064a'],
  ['\u064b', '\u0659'],
  ['\u0660', '\u0669'],
  ['\u0671', '\u06d3'],
  ['\u06f0', '\u06f9'],
  ['\u0905', '\u0939'],
  ['\u0900', '\u0903'],
  ['\u093e', '\u094d'],
  ['\u0966', '\u096f'],
  ['\u0e01', '\u0e2e'],
  ['\u0e30', '\u0e3a'],
  ['\u0e40', '\u0e4e'],
  ['\u10d0', '\u10fa'],
  ['\u24b6', '\u24cf'],
  ['\u24d0', '\u24e9'],
  ['\u3041', '\u3096'],
  ['\u30a1', '\u30fa'],
  ['\u30fc', '\u30fe'],
  ['\u3400', '\u4dbf'],
  ['\u4e00', '\u9fff'],
  ['\uac00', '\ud7a3'],
  ['\uff10', '\uff19'],
  ['\uff21', '\uff3a'],
  ['\uff41', '\uff5a'],
];

const ALPHABETS: readonly Alphabet[] = RUNS.map(([first, last]) => ({
  first: first.charCodeAt(0),
  size: last.charCodeAt(0) - first.charCodeAt(0) + 1,
}));

const OF_ASCII: readonly (Alphabet | undefined)[] = Array.from({ length: 128 }, (_, code) => found(code));

/** Letters of flags, U+1F1E6 to U+1F1FF, by the second halves of their surrogate pairs. */
const FLAG_LETTERS: Alphabet = { first: 0xdde6, size: 26 };

export const DIGITS: Alphabet = { first: 0x30, size: 10 };

/** The alphabet of a character that is to be replaced; undefined for one that is neither letter, digit nor mark. @throws RangeError for one that is, but of no alphabet here */
export function alphabetOf(codePoint: number): Alphabet | undefined {
  if (codePoint < 128) return OF_ASCII[codePoint];
  if (codePoint >= 0x1f1e6 && codePoint <= 0x1f1ff) return FLAG_LETTERS;
  const alphabet = found(codePoint);
  if (alphabet === undefined && !SAYS_NOTHING.has(codePoint) && LETTER.test(String.fromCodePoint(codePoint))) {
    throw new RangeError('A letter of a script that has no alphabet here.');
  }
  return alphabet;
}

/** What is not assigned yet may be a letter. */
const LETTER = /[\p{L}\p{N}\p{M}\p{Alphabetic}\p{Cs}\p{Co}\p{Cn}]/u;
/** ª, º and µ are letters of no alphabet, and part of `2º` and `5 µm`. */
const SAYS_NOTHING = new Set([0xaa, 0xb5, 0xba]);

function found(codePoint: number): Alphabet | undefined {
  return ALPHABETS.find(({ first, size }) => codePoint >= first && codePoint < first + size);
}
