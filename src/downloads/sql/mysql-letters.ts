/** What À to ß, and à to ÿ, are to the collation latin1_swedish_ci, or to others of Latin-1; a blank stands for a letter of its own. */
const LETTERS = 'aaaaaaaceeeeiiiidnooooo ouuuyy s';
const FIRST = 0xc0;

/**
 * Clients of MySQL find their commands by comparing bytes as Latin-1, where `é` is `e` and `ü` is `y`, so that `syst\xe9m` is a command. No character of UTF-8 is one
 * letter to them: it has a byte that is none.
 * @param text In lower case but for bytes beyond ASCII, in Latin-1 (one character for each byte)
 */
export function withoutAccents(text: string): string {
  return text.replaceAll(/[\xc0-\xff]/g, (letter) => {
    const plain = LETTERS[(letter.charCodeAt(0) - FIRST) % LETTERS.length] ?? ' ';
    return plain === ' ' ? letter : plain;
  });
}

/** True for a word that MySQL's clients before 8.0 take for DELIMITER wherever it stands, by the collation of their character set: Latin-1 or UTF-8. @param text In Latin-1 */
export function isAccentedDelimiter(text: string): boolean {
  if (!/[\x80-\xff]/.test(text)) return false;
  const decoded = Buffer.from(text, 'latin1')
    .toString('utf8')
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase();
  return withoutAccents(text.toLowerCase()).endsWith('delimiter') || decoded.includes('delimiter');
}
