import { open } from 'node:fs/promises';

/** Makes names in a folder durable: those that were made, renamed and removed there (fsync(2) on the folder). */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
