import { existsSync } from 'node:fs';
import path from 'node:path';

/** Servers are where an ordinary user's PATH does not lead. */
const FOLDERS = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin'];

export function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
}

/** As {@link skipUnless} of all programs being installed. @param packages Debian's package of each program */
export function skipWithout(packages: Readonly<Record<string, string>>): string | false {
  const missing = Object.keys(packages).filter((program) => findProgram(program) === undefined);
  const wanted = new Set(missing.map((program) => packages[program]));
  return skipUnless(missing.length === 0, missing.join(', '), `apt-get install ${[...wanted].join(' ')}`);
}

/**
 * For `skip` of a test: false where what it needs is there, or what is missing and the command that provides it. Where nothing may be
 * missing, which HOLDFAST_REQUIRE_PROGRAMS=1 says, that is an error, so that the file with the test fails.
 */
export function skipUnless(isThere: boolean, name: string, command: string): string | false {
  if (isThere) return false;
  const reason = `${name} MISSING, SO NONE OF THIS WAS TESTED. Run: ${command}`;
  if (process.env.HOLDFAST_REQUIRE_PROGRAMS === '1') throw new Error(reason);
  return reason;
}
