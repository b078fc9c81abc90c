import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { listOf } from '../../core/list-schema.ts';
import type { Storage } from '../../core/ports/storage.ts';
import type { Keyring } from '../keyring.ts';
import { decodeMetadata, refuseNewerVersion } from '../metadata-encoding.ts';
import { openObject, SEALED_KIND } from '../sealed-object.ts';

/** What collectors have decided so far, from the objects under `gc/` (research: engines.md 6.2). */
export interface CollectionState {
  /** The highest round that has a condemned set: what a writer's snapshot records as its base. 0 before any. */
  base: number;
  /** The highest round that there is any object of. */
  newest: number;
  /** Ids of packs that writers must treat as absent. */
  condemned: ReadonlySet<string>;
  /** Those of them that a sealed round removes or removed: no index may name them any more. */
  removed: ReadonlySet<string>;
  /** All rounds that have objects, oldest first. */
  rounds: readonly RoundState[];
  /** The newest round that was sealed, and the commits (names below `snapshots/`) that its collector saw. */
  seal?: { round: number; commitNames: ReadonlySet<string> };
}

export interface RoundState {
  round: number;
  condemned: boolean;
  outcome?: 'sealed' | 'cancelled';
  done: boolean;
}

const packId = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 32);
const condemnedSchema = z.object({ version: z.literal(1), packs: listOf(packId) });
const resolutionSchema = z.object({
  version: z.literal(1),
  outcome: z.enum(['sealed', 'cancelled']),
  snapshots: listOf(z.string()),
  kept: listOf(packId),
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

/** Highest round that there is any object of, from one listing. */
export async function latestRound(storage: Storage): Promise<number> {
  const rounds = (await storage.list('gc/', { sizes: false })).map(({ key }) => Number(key.split('/')[1]));
  return Math.max(0, ...rounds.filter(Number.isInteger));
}

/**
 * What a listing names is read once: the objects are created and never changed. (A collector that slept can create a round anew
 * that others have folded since; it cancels that one itself, and nobody is harmed by what an earlier sleeper condemned instead.)
 *
 * @throws HoldfastError `object-damaged`
 */
export async function readCollectionState(storage: Storage, keyring: Keyring): Promise<CollectionState> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(storage, keyring);
    } catch (error) {
      // A collector folded an old round into a newer one between the listing and the reading.
      if (!(error instanceof HoldfastError) || error.code !== 'object-missing' || attempt >= MOST_LISTINGS) throw error;
    }
  }
}

/** The state that each storage had last, and the listing that it was read by. */
const KNOWN = new WeakMap<Storage, { listing: string; state: CollectionState }>();

async function readOnce(storage: Storage, keyring: Keyring): Promise<CollectionState> {
  const keys = (await storage.list('gc/', { sizes: false })).map(({ key }) => key).sort();
  const listing = keys.join('\n');
  const known = KNOWN.get(storage);
  if (known?.listing === listing) return known.state;
  const state = await readListed(storage, keyring, keys);
  KNOWN.set(storage, { listing, state });
  return state;
}

async function readListed(storage: Storage, keyring: Keyring, keys: readonly string[]): Promise<CollectionState> {
  const listed = new Map<number, Set<RoundPart>>();
  for (const key of keys) {
    const match = /^gc\/(\d{10})\/(condemned|resolution|done)$/.exec(key);
    if (match === null) continue;
    const parts = listed.get(Number(match[1])) ?? new Set();
    listed.set(Number(match[1]), parts.add(match[2] as RoundPart));
  }
  const condemned = new Set<string>();
  const removed = new Set<string>();
  const rounds: RoundState[] = [];
  let base = 0;
  let seal: CollectionState['seal'];
  for (const [round, parts] of [...listed].sort(([a], [b]) => a - b)) {
    const resolution = parts.has('resolution') ? await readResolution(storage, keyring, round) : undefined;
    const outcome = resolution?.outcome;
    rounds.push({ round, condemned: parts.has('condemned'), done: parts.has('done'), ...(outcome && { outcome }) });
    if (resolution?.outcome === 'sealed') seal = { round, commitNames: new Set(resolution.snapshots) };
    if (!parts.has('condemned')) continue;
    base = Math.max(base, round);
    if (outcome === 'cancelled') continue;
    const kept = new Set(resolution?.kept.map(hex));
    for (const pack of (await readCondemned(storage, keyring, round)).packs.map(hex)) {
      if (kept.has(pack)) continue;
      condemned.add(pack);
      if (outcome === 'sealed') removed.add(pack);
    }
  }
  const newest = rounds.at(-1)?.round ?? 0;
  return { base, newest, condemned, removed, rounds, ...(seal === undefined ? {} : { seal }) };
}

/** The reader rule: a snapshot counts if the newest seal's collector saw it, or it was committed against that seal. */
export function isValidSnapshot(state: CollectionState, commitName: string, base: number): boolean {
  return state.seal === undefined || base >= state.seal.round || state.seal.commitNames.has(commitName);
}

export function readCondemned(storage: Storage, keyring: Keyring, round: number): Promise<Condemned> {
  return read(storage, keyring, round, 'condemned', condemnedSchema);
}

export function readResolution(storage: Storage, keyring: Keyring, round: number): Promise<Resolution> {
  return read(storage, keyring, round, 'resolution', resolutionSchema);
}

export type RoundPart = 'condemned' | 'resolution' | 'done';
export type Condemned = z.infer<typeof condemnedSchema>;
export type Resolution = z.infer<typeof resolutionSchema>;

const MOST_LISTINGS = 10;

const doneSchema = z.object({
  version: z.literal(1),
  completedAt: z.string(),
  packsRemoved: z.number(),
  bytesFreed: z.number(),
  snapshotsExpired: z.number(),
});

/** What the newest finished collection removed; undefined where there was none. */
export async function readLastCollection(
  storage: Storage,
  keyring: Keyring,
): Promise<Omit<z.infer<typeof doneSchema>, 'version'> | undefined> {
  const listed = (await storage.list('gc/', { sizes: false }))
    .map(({ key }) => key)
    .filter((key) => key.endsWith('/done'));
  const round = Number(/^gc\/(\d{10})\//.exec(listed.sort().at(-1) ?? '')?.[1] ?? 0);
  if (round === 0) return undefined;
  try {
    const { version: _version, ...done } = await read(storage, keyring, round, 'done', doneSchema);
    return done;
  } catch (error) {
    // A newer collection has folded it in this moment, or it is of a program that left it empty.
    if (error instanceof HoldfastError && ['object-missing', 'object-damaged', 'metadata-damaged'].includes(error.code))
      return undefined;
    throw error;
  }
}

export function roundName(round: number, part: RoundPart): string {
  return `gc/${String(round).padStart(10, '0')}/${part}`;
}

async function read<T>(
  storage: Storage,
  keyring: Keyring,
  round: number,
  part: RoundPart,
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
