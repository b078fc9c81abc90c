import { setTimeout as pause } from 'node:timers/promises';

const LONGEST_MILLISECONDS = 120_000;

/** Waits until something is so. */
export async function eventually(isSo: () => boolean | Promise<boolean>, otherwise: string): Promise<void> {
  const end = Date.now() + LONGEST_MILLISECONDS;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(otherwise);
    await pause(10);
  }
}
