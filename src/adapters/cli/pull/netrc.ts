export interface NetrcEntry {
  login: string;
  password: string;
}

/**
 * What a netrc file (netrc(5)) says for a host: the entry that names it, of the login if one is wanted, or else `default`.
 * @param text the file's content
 */
export function netrcEntry(text: string, host: string, login?: string): NetrcEntry | undefined {
  const words = wordsOf(text);
  for (let at = 0; at < words.length; ) {
    const word = words[at++];
    if (word !== 'machine' && word !== 'default') continue;
    const machine = word === 'default' ? undefined : words[at++];
    const found: Partial<NetrcEntry> = {};
    for (; at < words.length && words[at] !== 'machine' && words[at] !== 'default'; at += 2) {
      const [name, value] = [words[at], words[at + 1]];
      if ((name === 'login' || name === 'password') && value !== undefined) found[name] = value;
    }
    if (machine !== undefined && machine.toLowerCase() !== host.toLowerCase()) continue;
    if (login !== undefined && found.login !== undefined && found.login !== login) continue;
    const user = login ?? found.login;
    if (user !== undefined && found.password !== undefined) return { login: user, password: found.password };
  }
  return undefined;
}

/** Words between blanks, or in quotes, in which a backslash keeps what follows; `macdef` and its lines, and comments, are left out. */
function wordsOf(text: string): string[] {
  const words: string[] = [];
  const withoutMacros = text.replaceAll(/^[ \t]*macdef[^\n]*\n(?:[^\n]+\n)*/gm, '');
  for (const [, comment, quoted, plain] of withoutMacros.matchAll(/(#[^\n]*)|"((?:[^"\\\n]|\\.)*)"|(\S+)/g)) {
    if (quoted !== undefined) words.push(quoted.replaceAll(/\\(.)/g, '$1'));
    else if (plain !== undefined) words.push(plain);
    // A password may begin with the character of comments.
    else if (comment !== undefined && words.at(-1) === 'password') words.push(comment.split(/\s/)[0] ?? '');
  }
  return words;
}
