import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The processes that work in a folder or below, as `name id`. */
export function processesIn(folder: string): string[] {
  return readdirSync('/proc').flatMap((id) => {
    if (!/^\d+$/.test(id)) return [];
    try {
      if (!readlinkSync(`/proc/${id}/cwd`).startsWith(folder)) return [];
      return [`${readFileSync(`/proc/${id}/comm`, 'utf8').trim()} ${id}`];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}
