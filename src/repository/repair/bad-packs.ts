import type { Storage } from '../../core/ports/storage.ts';

/**
 * Marks `bad/<pack id>`: a pack that writers must not rely on. Whoever writes takes its chunks as absent and stores them again;
 * readers take another place of a chunk where there is one. A mark goes when the pack is whole again, or when a collector has
 * removed it: then the collector's sealed round says the same for good.
 */
export async function listBadPacks(storage: Storage): Promise<Set<string>> {
  const marks = await storage.list(PREFIX, { sizes: false });
  return new Set(marks.map(({ key }) => key.slice(PREFIX.length)).filter((id) => /^[0-9a-f]{64}$/.test(id)));
}

export async function markBad(storage: Storage, packId: string): Promise<void> {
  await storage.putNew(badMark(packId), new Uint8Array());
}

export async function clearMark(storage: Storage, packId: string): Promise<void> {
  await storage.delete(badMark(packId));
}

export function badMark(packId: string): string {
  return PREFIX + packId;
}

const PREFIX = 'bad/';
