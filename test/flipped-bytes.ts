import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Flips a bit of a stored object. @param at its byte; negative ones count from the end */
export async function flip(folder: string, key: string, at: number): Promise<void> {
  const file = path.join(folder, key);
  await chmod(file, 0o600);
  const bytes = await readFile(file);
  const position = at < 0 ? bytes.length + at : at;
  bytes[position] = bytes[position]! ^ 0x10;
  await writeFile(file, bytes);
}
