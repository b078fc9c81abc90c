import { hostname } from 'node:os';
import { z } from 'zod';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import { decodeMetadata } from '../metadata-encoding.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { openObject, SEALED_KIND } from '../sealed-object.ts';

/** A mark that was not renewed for so long is left behind by a writer that ended; milliseconds. */
export const STALE_AFTER = 2 * 60 * 60 * 1000;

const markSchema = z.object({ version: z.literal(1), host: z.string(), process: z.number(), time: z.iso.datetime() });

/**
 * Ids of the writers that seem to be at work, so that collectors spare what they stored. An error either way costs a writer one
 * more commit, or leaves garbage to the next collection, and nothing else.
 */
export async function sessionsAtWork(parts: RepositoryParts): Promise<ReadonlySet<string>> {
  const { storage } = parts;
  const now = (await storage.serverTime()).getTime();
  const atWork = new Set<string>();
  for (const { key } of await storage.list('sessions/', { sizes: false })) {
    const mark = await readMark(parts, key);
    if (mark === undefined) continue;
    if (Math.abs(now - Date.parse(mark.time)) > STALE_AFTER) continue;
    if (mark.host === hostname() && !isAlive(mark.process)) continue;
    atWork.add(key.slice('sessions/'.length));
  }
  return atWork;
}

/** Removes marks that writers left behind. @returns how many */
export async function removeStaleMarks(parts: RepositoryParts): Promise<void> {
  const atWork = await sessionsAtWork(parts);
  for (const { key } of await parts.storage.list('sessions/', { sizes: false })) {
    const mark = await readMark(parts, key);
    if (mark !== undefined && !atWork.has(key.slice('sessions/'.length))) await parts.storage.delete(key);
  }
}

/** @returns undefined for a mark that is gone, half-replaced or of another key: nothing depends on it */
async function readMark(parts: RepositoryParts, key: string): Promise<z.infer<typeof markSchema> | undefined> {
  try {
    const bytes = await parts.storage.get(key);
    const parsed = markSchema.safeParse(
      decodeMetadata(openObject(parts.keyring(), bytes, { kind: SEALED_KIND.session, name: key })),
    );
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof HoldfastError && ['not-found', 'damaged', 'unsupported', 'wrong-key'].includes(error.kind))
      return undefined;
    throw error;
  }
}

function isAlive(processNumber: number): boolean {
  try {
    process.kill(processNumber, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== 'ESRCH';
  }
}
