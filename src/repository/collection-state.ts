import { z } from 'zod';
import { HoldfastError } from '../core/errors.ts';
import type { Storage } from '../core/ports/storage.ts';
import type { Keyring } from './keyring.ts';
import { decodeMetadata, refuseNewerVersion } from './metadata-encoding.ts';
import { openObject, SEALED_KIND } from './sealed-object.ts';

/** What collectors have decided so far, from the objects under `gc/` (research: engines.md 6.2). */
export interface CollectionState {
  /** The highest round that has a condemned set: what a writer's snapshot records as its base. 0 before any. */
  base: number;
  /** Ids of packs that writers must treat as absent. */
  condemned: ReadonlySet<string>;
  /** The newest round that was sealed, and the snapshots that its collector saw. */
  seal?: { round: number; snapshotIds: ReadonlySet<string> };
}

const packId = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 32);
const condemnedSchema = z.object({ version: z.literal(1), packs: z.array(packId) });
const resolutionSchema = z.object({
  version: z.literal(1),
  outcome: z.enum(['sealed', 'cancelled']),
  snapshots: z.array(z.string()),
  kept: z.array(packId),
});

/** Highest round with a condemned set, from one listing. */
export async function newestRound(storage: Storage): Promise<number> {
  let newest = 0;
  for (const { key } of await storage.list('gc/', { sizes: false })) {
    const match = /^gc\/(\d{10})\/condemned$/.exec(key);
    if (match !== null) newest = Math.max(newest, Number(match[1]));
  }
  return newest;
}

/** @throws HoldfastError `object-damaged` */
export async function readCollectionState(storage: Storage, keyring: Keyring): Promise<CollectionState> {
  const rounds = new Map<number, { condemned: boolean; resolution: boolean; done: boolean }>();
  for (const { key } of await storage.list('gc/', { sizes: false })) {
    const match = /^gc\/(\d{10})\/(condemned|resolution|done)$/.exec(key);
    if (match === null) continue;
    const round = rounds.get(Number(match[1])) ?? { condemned: false, resolution: false, done: false };
    round[match[2] as 'condemned' | 'resolution' | 'done'] = true;
    rounds.set(Number(match[1]), round);
  }
  const condemned = new Set<string>();
  let base = 0;
  let seal: CollectionState['seal'];
  for (const [number, round] of [...rounds].sort(([a], [b]) => a - b)) {
    const resolution = round.resolution
      ? await read(storage, keyring, number, 'resolution', resolutionSchema)
      : undefined;
    if (resolution?.outcome === 'sealed') seal = { round: number, snapshotIds: new Set(resolution.snapshots) };
    if (!round.condemned) continue;
    base = Math.max(base, number);
    if (resolution?.outcome === 'cancelled') continue;
    const kept = new Set(resolution?.kept.map(hex));
    const packs = await read(storage, keyring, number, 'condemned', condemnedSchema);
    for (const pack of packs.packs.map(hex)) if (!kept.has(pack)) condemned.add(pack);
  }
  return { base, condemned, ...(seal === undefined ? {} : { seal }) };
}

/** The reader rule: a snapshot counts if the newest seal's collector saw it, or it was committed against that seal. */
export function isValidSnapshot(state: CollectionState, id: string, base: number): boolean {
  return state.seal === undefined || base >= state.seal.round || state.seal.snapshotIds.has(id);
}

export function roundName(round: number, part: 'condemned' | 'resolution' | 'done'): string {
  return `gc/${String(round).padStart(10, '0')}/${part}`;
}

async function read<T>(
  storage: Storage,
  keyring: Keyring,
  round: number,
  part: 'condemned' | 'resolution',
  schema: z.ZodType<T>,
): Promise<T> {
  const name = roundName(round, part);
  const decoded = decodeMetadata(openObject(keyring, await storage.get(name), { kind: SEALED_KIND[part], name }));
  refuseNewerVersion(decoded, name);
  const parsed = schema.safeParse(decoded);
  if (!parsed.success)
    throw new HoldfastError('damaged', 'object-damaged', `${name} does not hold what it should.`, {
      cause: parsed.error,
      details: { object: name },
    });
  return parsed.data;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
