/** A value as its pseudonym is looked for, so that spellings of the same come to the same: `trim` cuts white space at both ends, `lower` makes small letters. Either composes accents (NFC). */
export function normalised(value: string, steps: readonly ('trim' | 'lower')[]): string {
  if (steps.length === 0) return value;
  let text = value;
  for (const step of steps) text = step === 'trim' ? text.trim() : text.toLowerCase();
  return text.normalize('NFC');
}
