import type { CheckFinding } from '../../core/ports/repository-check.ts';
import type { SnapshotRecord } from '../../core/snapshot-record.ts';
import { packKey } from '../pack-format.ts';
import { type ReferencedChunk, referencedChunks } from '../referenced-chunks.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { snapshotKey } from '../snapshot-name.ts';
import { findingOf } from './findings.ts';

/** Whether the chunks that snapshots need can be found (level 2 of a check), and in which packs they lie. */
export class SnapshotReferences {
  /** Ids of the packs that the snapshots checked so far need. */
  readonly neededPacks = new Set<string>();
  readonly #parts: RepositoryParts;
  readonly #bad: ReadonlySet<string>;
  readonly #absent: ReadonlySet<string>;
  readonly #signal: AbortSignal | undefined;
  readonly #soundPages = new Set<string>();
  readonly #soundChunks = new Set<string>();

  /** @param packs ids of those that are marked as bad, and of those that are not in the storage though the index names them */
  constructor(
    parts: RepositoryParts,
    packs: { bad: ReadonlySet<string>; absent: ReadonlySet<string>; signal?: AbortSignal },
  ) {
    this.#parts = parts;
    this.#bad = packs.bad;
    this.#absent = packs.absent;
    this.#signal = packs.signal;
  }

  /** Pages are walked once, unless something below them is missing: then each snapshot that has them is told of. */
  async check(record: SnapshotRecord): Promise<CheckFinding[]> {
    const name = snapshotKey(record.backup.id);
    const findings: CheckFinding[] = [];
    const pages = new WalkedPages(this.#soundPages);
    let missing = 0;
    try {
      for await (const chunk of referencedChunks(this.#parts, record, pages)) {
        this.#signal?.throwIfAborted();
        const id = Buffer.from(chunk.id).toString('latin1');
        if (this.#soundChunks.has(id)) continue;
        const fault = this.#faultOf(chunk);
        if (fault === undefined) this.#soundChunks.add(id);
        else if (++missing <= MOST_FINDINGS) findings.push(chunkMissing(record, chunk, fault));
      }
    } catch (error) {
      findings.push(findingOf(error, name, [record.backup.id]));
    }
    if (missing > MOST_FINDINGS) findings.push(moreMissing(record, missing - MOST_FINDINGS));
    if (findings.length === 0) for (const page of pages) this.#soundPages.add(page);
    return findings;
  }

  /** Which snapshots have chunks whose best place is in one of these packs; ids of snapshots by pack id. */
  async usersOf(packIds: ReadonlySet<string>, records: readonly SnapshotRecord[]): Promise<Map<string, string[]>> {
    const users = new Map<string, Set<string>>();
    for (const record of records) {
      try {
        for await (const { id } of referencedChunks(this.#parts, record)) {
          this.#signal?.throwIfAborted();
          const packId = this.#packOf(id);
          if (packId === undefined || !packIds.has(packId)) continue;
          users.set(packId, (users.get(packId) ?? new Set()).add(record.backup.id));
        }
      } catch (error) {
        // What the tree says beyond the damaged place is not known; that it is damaged was found before.
        const packId = /[0-9a-f]{64}/.exec(findingOf(error, '').object)?.[0] ?? '';
        if (packIds.has(packId)) users.set(packId, (users.get(packId) ?? new Set()).add(record.backup.id));
      }
    }
    return new Map([...users].map(([packId, ids]) => [packId, [...ids]]));
  }

  /** Why a chunk cannot be read, as far as can be told without reading it. */
  #faultOf({ id }: ReferencedChunk): string | undefined {
    const packId = this.#packOf(id);
    if (packId === undefined) return 'which is in no pack that the index knows';
    this.neededPacks.add(packId);
    if (this.#absent.has(packId)) return `which is in ${packKey(packId)}; that is missing`;
    if (this.#bad.has(packId)) return `which was only in ${packKey(packId)}; that is damaged`;
    return undefined;
  }

  #packOf(id: Uint8Array): string | undefined {
    const location = this.#parts.index.find(id);
    return location === undefined ? undefined : this.#parts.index.pack(location.pack).idHex;
  }
}

/** Pages that one snapshot's walk met, in front of those that are known to be sound. */
class WalkedPages extends Set<string> {
  readonly #sound: ReadonlySet<string>;

  constructor(sound: ReadonlySet<string>) {
    super();
    this.#sound = sound;
  }

  override has(page: string): boolean {
    return super.has(page) || this.#sound.has(page);
  }
}

/** Findings told of one snapshot; the rest is counted. */
const MOST_FINDINGS = 100;

function chunkMissing({ backup }: SnapshotRecord, chunk: ReferencedChunk, fault: string): CheckFinding {
  const place = chunk.path === undefined ? backup.id : `${backup.id}: ${chunk.path}`;
  const message = `${place} needs chunk ${Buffer.from(chunk.id).toString('hex')}, ${fault}.`;
  return damageOf(backup.id, message);
}

function moreMissing({ backup }: SnapshotRecord, count: number): CheckFinding {
  return damageOf(backup.id, `${backup.id} needs ${count} more chunks that are missing.`);
}

function damageOf(id: string, message: string): CheckFinding {
  return { severity: 'damage', code: 'chunk-missing', object: snapshotKey(id), message, snapshotIds: [id] };
}
