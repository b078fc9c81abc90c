import { existsSync } from 'node:fs';
import path from 'node:path';

/** For `skip`: false where all are installed, or what to do about it. @param packages Debian's package of each program */
export function skipWithout(packages: Readonly<Record<string, string>>): string | false {
  const folders = (process.env.PATH ?? '').split(':');
  const missing = Object.entries(packages).filter(
    ([program]) => !folders.some((folder) => existsSync(path.join(folder, program))),
  );
  if (missing.length === 0) return false;
  const names = missing.map(([program]) => program).join(', ');
  return `${names} MISSING, SO NONE OF THIS WAS TESTED. Run: apt-get install ${missing.map(([, name]) => name).join(' ')}`;
}
