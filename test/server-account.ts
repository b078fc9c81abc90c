import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));

/** The account that PostgreSQL's programs run as, where that is not this process's: they refuse root. */
export const SERVER_ACCOUNT: { uid: number; gid: number } | undefined =
  process.geteuid?.() === 0 ? accountIds('postgres') : undefined;

/** For tests in which a server runs programs of this checkout. */
export const SKIP_CLOSED_CHECKOUT: string | false = isOpenToServer()
  ? false
  : `THE ACCOUNT postgres CANNOT ENTER THIS CHECKOUT, SO NONE OF THIS WAS TESTED. Run the tests from a folder that it may read, such as a clone: git clone ${CHECKOUT} /tmp/holdfast`;

function isOpenToServer(): boolean {
  if (SERVER_ACCOUNT === undefined) return true;
  const { uid, gid } = SERVER_ACCOUNT;
  const words = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', 'test', '-r', `${CHECKOUT}/package.json`];
  return spawnSync('setpriv', words).status === 0;
}

export function accountIds(name: string): { uid: number; gid: number } | undefined {
  try {
    const id = (option: string) => Number(execFileSync('id', [option, name], { stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}
