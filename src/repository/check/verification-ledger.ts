import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { listOf } from '../../core/list-schema.ts';
import type { VerificationState } from '../../core/ports/repository-check.ts';

import type { Storage } from '../../core/ports/storage.ts';
import type { Keyring } from '../keyring.ts';
import { decodeMetadata, encodeMetadata, refuseNewerVersion } from '../metadata-encoding.ts';
import { packIdOf } from '../pack-format.ts';
import { CIPHER_GCM } from '../record-cipher.ts';
import { openObject, SEALED_KIND, sealObject } from '../sealed-object.ts';

/** 3: has the SHA-256 of its name; 4: every chunk decodes; 0: found damaged. */
export type LedgerLevel = 0 | 3 | 4;

/** Packs that were read at about the same time with the same outcome. */
interface LedgerRun {
  level: LedgerLevel;
  /** RFC 3339; when the first of them was read */
  time: string;
  /** ids, 32 bytes each */
  packs: Uint8Array;
}

interface PackTimes {
  hashed: number;
  decoded: number;
  damaged: number;
}

/**
 * When each pack was last read, and what came of it: sealed segments `verify/<SHA-256>`, written once, folded into one when they
 * become many. Evidence, and what makes a check begin with the packs that were read longest ago. Nothing's safety depends on it:
 * what is lost of it is verified again.
 */
export class VerificationLedger {
  /** Segments that do not open. Those of a newer Holdfast are left alone and not counted here. */
  readonly damaged: { key: string; error: HoldfastError }[] = [];
  readonly #storage: Storage;
  readonly #keyring: () => Keyring;
  readonly #times = new Map<string, PackTimes>();
  readonly #segments = new Set<string>();
  readonly #pending = new Map<LedgerLevel, { time: Date; packs: string[] }>();

  private constructor(storage: Storage, keyring: () => Keyring) {
    this.#storage = storage;
    this.#keyring = keyring;
  }

  static async read(storage: Storage, keyring: () => Keyring): Promise<VerificationLedger> {
    const ledger = new VerificationLedger(storage, keyring);
    for (const { key } of await storage.list(PREFIX, { sizes: false })) await ledger.#readSegment(key);
    return ledger;
  }

  /** Milliseconds since 1970 at which a pack was last found whole at `level`; undefined if never, or if damage was found since. */
  verifiedAt(packId: string, level: 3 | 4): number | undefined {
    const times = this.#times.get(packId);
    if (times === undefined) return undefined;
    const verified = level === 4 ? times.decoded : Math.max(times.decoded, times.hashed);
    return verified > times.damaged ? verified : undefined;
  }

  /** Whether a pack was damaged when it was last read. */
  isDamaged(packId: string): boolean {
    const times = this.#times.get(packId);
    return times !== undefined && times.damaged >= Math.max(times.hashed, times.decoded, 1);
  }

  /** Notes what a pack was found to be; durable after the next `flush`. */
  note(packId: string, level: LedgerLevel, now: Date): void {
    this.#learn(packId, level, now.getTime());
    const pending = this.#pending.get(level) ?? { time: now, packs: [] };
    pending.packs.push(packId);
    this.#pending.set(level, pending);
  }

  /** Packs noted and not durable yet. */
  get unwritten(): number {
    return [...this.#pending.values()].reduce((sum, { packs }) => sum + packs.length, 0);
  }

  /** @param present ids of the packs that there are, if all are known: others are left out when segments are folded */
  async flush(present?: ReadonlySet<string>): Promise<void> {
    const runs = [...this.#pending].map(([level, { time, packs }]) => toRun(level, time.getTime(), packs));
    this.#pending.clear();
    if (runs.length > 0) await this.#write(runs);
    if (this.#segments.size > MOST_SEGMENTS) await this.#fold(present);
  }

  /** Writes what is known as one new segment; the old ones go after that. */
  async rewrite(): Promise<void> {
    await this.#fold(undefined);
  }

  /** @param sizes of all packs, by id */
  state(level: 3 | 4, sizes: ReadonlyMap<string, number>): VerificationState {
    let total = 0;
    let verified = 0;
    let oldest = Number.POSITIVE_INFINITY;
    let unverifiedPacks = 0;
    let damagedPacks = 0;
    for (const [packId, size] of sizes) {
      total += size;
      const time = this.verifiedAt(packId, level);
      if (this.isDamaged(packId)) damagedPacks++;
      if (time === undefined) unverifiedPacks++;
      else {
        verified += size;
        oldest = Math.min(oldest, time);
      }
    }
    return {
      level,
      verifiedFraction: total === 0 ? 1 : verified / total,
      ...(Number.isFinite(oldest) ? { oldestVerification: new Date(oldest).toISOString() } : {}),
      unverifiedPacks,
      damagedPacks,
    };
  }

  async #readSegment(key: string): Promise<void> {
    try {
      for (const { level, time, packs } of decodeSegment(this.#keyring(), key, await this.#storage.get(key)))
        for (let at = 0; at < packs.length; at += 32)
          this.#learn(Buffer.from(packs.subarray(at, at + 32)).toString('hex'), level, Date.parse(time));
      this.#segments.add(key);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      if (error.code === 'object-missing' || error.kind === 'unsupported') return;
      if (error.kind !== 'damaged' && error.code !== 'key-epoch-unknown') throw error;
      this.damaged.push({ key, error });
      this.#segments.add(key);
    }
  }

  #learn(packId: string, level: LedgerLevel, time: number): void {
    const times = this.#times.get(packId) ?? { hashed: 0, decoded: 0, damaged: 0 };
    const field = level === 0 ? 'damaged' : level === 3 ? 'hashed' : 'decoded';
    times[field] = Math.max(times[field], time);
    this.#times.set(packId, times);
  }

  /** Everything in one new segment, then the old ones go. Of two processes that fold at once, both results say the same. */
  async #fold(present: ReadonlySet<string> | undefined): Promise<void> {
    const groups = new Map<string, { level: LedgerLevel; time: number; packs: string[] }>();
    for (const [packId, times] of this.#times) {
      if (present !== undefined && !present.has(packId)) continue;
      for (const [level, time] of [
        [0, times.damaged],
        [3, times.hashed > times.decoded ? times.hashed : 0],
        [4, times.decoded],
      ] as const) {
        if (time === 0) continue;
        const group = groups.get(`${level} ${time}`) ?? { level, time, packs: [] };
        group.packs.push(packId);
        groups.set(`${level} ${time}`, group);
      }
    }
    const old = [...this.#segments];
    const written = await this.#write([...groups.values()].map(({ level, time, packs }) => toRun(level, time, packs)));
    for (const key of old) {
      if (key === written) continue;
      await this.#storage.delete(key);
      this.#segments.delete(key);
    }
  }

  async #write(runs: readonly LedgerRun[]): Promise<string> {
    const bytes = sealObject(this.#keyring(), encodeMetadata({ version: 1, runs }), {
      kind: SEALED_KIND.verification,
      name: '',
      cipher: CIPHER_GCM,
      codec: { name: 'raw', level: 0 },
    });
    const key = `${PREFIX}${createHash('sha256').update(bytes).digest('hex')}`;
    await this.#storage.putNew(key, bytes);
    this.#segments.add(key);
    return key;
  }
}

/** The sizes of packs by id, from a listing of `packs/` by key. */
export function sizesById(sizesByKey: ReadonlyMap<string, number>): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [key, size] of sizesByKey) {
    const id = packIdOf(key);
    if (id !== undefined) sizes.set(id, size);
  }
  return sizes;
}

const PREFIX = 'verify/';
/** Segments after which they are folded into one. */
const MOST_SEGMENTS = 32;

const segmentSchema = z.object({
  version: z.literal(1),
  runs: listOf(
    z.object({
      level: z.union([z.literal(0), z.literal(3), z.literal(4)]),
      time: z.iso.datetime(),
      packs: z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length % 32 === 0),
    }),
  ),
});

function toRun(level: LedgerLevel, time: number, packIds: readonly string[]): LedgerRun {
  return { level, time: new Date(time).toISOString(), packs: Buffer.from(packIds.join(''), 'hex') };
}

function decodeSegment(keyring: Keyring, key: string, bytes: Buffer): readonly LedgerRun[] {
  const decoded = decodeMetadata(openObject(keyring, bytes, { kind: SEALED_KIND.verification, name: '', key }));
  refuseNewerVersion(decoded, key);
  const parsed = segmentSchema.safeParse(decoded);
  if (parsed.success) return parsed.data.runs;
  throw new HoldfastError('damaged', 'object-damaged', `${key} does not hold what it should.`, {
    cause: parsed.error,
    details: { object: key },
  });
}
