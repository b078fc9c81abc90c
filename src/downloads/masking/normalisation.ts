/** A value as its pseudonym is looked for, so that spellings of the same come to the same: `trim` cuts white space at both ends, `lower` makes small letters. Either composes accents (NFC). */
export function normalised(value: string, steps: readonly ('trim' | 'lower')[]): string {
  if (steps.length === 0) return value;
  let text = value;
  for (const step of steps) text = step === 'trim' ? text.trim() : text.toLowerCase();
  return text.normalize('NFC');
}

/** The same for a text of ASCII, written to `out` from `at` on; the position after it, or -1 where something else than ASCII comes. */
export function writeNormalisedAscii(
  bytes: Uint8Array,
  start: number,
  end: number,
  steps: readonly ('trim' | 'lower')[],
  out: Uint8Array,
  at: number,
): number {
  let [from, to] = [start, end];
  if (steps.includes('trim')) {
    while (from < to && isBlank(bytes[from] as number)) from++;
    while (to > from && isBlank(bytes[to - 1] as number)) to--;
  }
  const lowers = steps.includes('lower');
  let place = at;
  for (; from < to; from++) {
    const byte = bytes[from] as number;
    if (byte > 127) return -1;
    out[place++] = lowers && byte >= 65 && byte <= 90 ? byte + 32 : byte;
  }
  return place;
}

/** What `trim` takes away, of ASCII. */
export function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}
