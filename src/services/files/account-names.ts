import { readFileSync } from 'node:fs';

/**
 * Names of users and groups by number. Node.js has no getpwuid, so the local files are read, once; names that come from a
 * directory service stay numbers.
 */
export class AccountNames {
  readonly #users: Map<number, string>;
  readonly #groups: Map<number, string>;

  constructor() {
    this.#users = readAccounts('/etc/passwd');
    this.#groups = readAccounts('/etc/group');
  }

  user(id: number): string | undefined {
    return this.#users.get(id);
  }
  group(id: number): string | undefined {
    return this.#groups.get(id);
  }
}

function readAccounts(file: string): Map<number, string> {
  const names = new Map<number, string>();
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // A container without accounts: numbers alone are stored then.
    return names;
  }
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':');
    if (name !== undefined && name !== '' && id !== undefined && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}
