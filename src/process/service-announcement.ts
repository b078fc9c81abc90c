import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../core/errors.ts';

/** What a running service tells other processes of itself. */
export interface Announcement {
  pid: number;
  url: string;
  startedAt: string;
}

export async function announce(dataFolder: string, announcement: Announcement): Promise<void> {
  const file = fileIn(dataFolder);
  await writeFile(`${file}.new`, `${JSON.stringify(announcement)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

export async function withdraw(dataFolder: string): Promise<void> {
  await rm(fileIn(dataFolder), { force: true });
}

/** What the process `pid` announced; undefined where it has not (yet), or where the file is another's or cannot be read. */
export async function announcementOf(dataFolder: string, pid: number): Promise<Announcement | undefined> {
  try {
    const announcement = JSON.parse(await readFile(fileIn(dataFolder), 'utf8')) as Announcement;
    return announcement.pid === pid ? announcement : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || systemErrorCode(error) !== undefined) return undefined;
    throw error;
  }
}

function fileIn(dataFolder: string): string {
  return path.join(dataFolder, 'service.json');
}
