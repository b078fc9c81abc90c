/** The words of the command that gives a restored server its WAL, without those that name the file. */
export type WalGetCommand = (resourceId: string) => readonly string[];

/**
 * A `restore_command`: a shell runs it, and the server puts names in the place of `%f` and `%p`.
 * @param words any; quoted here, for the shell and for the server
 */
export function restoreCommand(words: readonly string[]): string {
  return [...words.map((word) => shellQuoted(word).replaceAll('%', '%%')), '"%f"', '"%p"'].join(' ');
}

function shellQuoted(word: string): string {
  return /^[\w./:=@+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
