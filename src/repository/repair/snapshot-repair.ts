import { createHash } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { IncompleteSnapshot, MissingContent, RepairStep } from '../../core/ports/repository-repair.ts';
import type { StepProgress } from '../../core/ports/step-progress.ts';
import type { LostEntries, SnapshotRecord, SnapshotRoot } from '../../core/snapshot-record.ts';
import type { Content } from '../../core/tree-entry.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { snapshotKey } from '../snapshot-name.ts';
import type { EngineSnapshotWriter } from '../snapshot-writer.ts';
import { encodeTreeEntry } from '../tree-entry-codec.ts';
import { type ChunkAccess, hurtOf, missingContents, type WalkedEntry, walkTree } from './damage-walk.ts';

/** Opens a writer of one snapshot. */
export type BeginSnapshot = (options: { encrypt: boolean; signal?: AbortSignal }) => Promise<EngineSnapshotWriter>;

export interface SnapshotRepairOptions {
  beginSnapshot: BeginSnapshot;
  dryRun: boolean;
  signal: AbortSignal | undefined;
  report: ((progress: StepProgress) => void) | undefined;
}

/** What a snapshot misses. */
interface Loss {
  missing: MissingContent[];
  count: number;
  bytes: number;
  /** Something of it is not recorded in the snapshot itself. */
  isNews: boolean;
}

/**
 * Makes a snapshot beside each one that misses something: all that is left, with what is lost recorded file by file and byte by
 * byte. The original stays: a later backup may bring back what it misses.
 */
export class SnapshotRepair {
  readonly steps: RepairStep[] = [];
  readonly incomplete: IncompleteSnapshot[] = [];
  readonly #parts: RepositoryParts;
  readonly #chunks: ChunkAccess;
  readonly #options: SnapshotRepairOptions;

  constructor(parts: RepositoryParts, packs: Pick<ChunkAccess, 'isLost'>, options: SnapshotRepairOptions) {
    this.#parts = parts;
    this.#chunks = { readChunk: (id) => parts.readChunk(id), isLost: (id) => packs.isLost(id) };
    this.#options = options;
  }

  async run(): Promise<void> {
    const records = await this.#records();
    for (const [done, record] of records.entries()) {
      this.#options.signal?.throwIfAborted();
      const loss = await this.#lossOf(record);
      if (loss.isNews) await this.#derive(record, loss, records);
      this.#options.report?.({ phase: 'snapshots', done: done + 1, total: records.length });
    }
  }

  async #records(): Promise<SnapshotRecord[]> {
    const records: SnapshotRecord[] = [];
    for (const id of await this.#parts.snapshots.list()) {
      try {
        records.push((await this.#parts.snapshots.read(id)).record);
      } catch (error) {
        // Forgotten meanwhile; or it does not open, which was told before.
        if (!(error instanceof HoldfastError) || !['not-found', 'damaged', 'wrong-key'].includes(error.kind))
          throw error;
      }
    }
    return records;
  }

  async #derive(record: SnapshotRecord, loss: Loss, all: readonly SnapshotRecord[]): Promise<void> {
    const { id, contentKind } = record.backup;
    const summary = {
      snapshotId: id,
      missing: loss.missing,
      missingCount: loss.count,
      missingBytes: loss.bytes,
    };
    if (contentKind === 'document') {
      this.incomplete.push(summary);
      const message = `${id} misses ${told(loss)}. A document is restored whole or not at all, so nothing is made in its place.`;
      this.#step('leave', id, message);
      return;
    }
    const known = await this.#derivedAlready(id, loss, all);
    if (known !== undefined || this.#options.dryRun) {
      this.incomplete.push(known === undefined ? summary : { ...summary, derivedId: known });
      if (known === undefined)
        this.#step(
          'derive-snapshot',
          id,
          `${id} misses ${told(loss)}: a snapshot with all the rest is made beside it.`,
        );
      return;
    }
    const derived = await this.#write(record, loss);
    this.incomplete.push({ ...summary, derivedId: derived });
    const message = `${id} misses ${told(loss)}. ${derived} has all the rest and says what is missing; ${id} stays, should a later backup bring it back.`;
    this.#step('derive-snapshot', id, message);
  }

  /** A snapshot that an earlier repair derived and that says the same. */
  async #derivedAlready(id: string, loss: Loss, all: readonly SnapshotRecord[]): Promise<string | undefined> {
    for (const record of all) {
      if (record.backup.derivedFrom !== id) continue;
      const recorded = await this.#lossOf(record);
      if (!recorded.isNews && JSON.stringify(recorded) === JSON.stringify({ ...loss, isNews: false }))
        return record.backup.id;
    }
    return undefined;
  }

  async #lossOf(record: SnapshotRecord): Promise<Loss> {
    const loss: Loss = { missing: [], count: 0, bytes: 0, isNews: false };
    const add = (missing: MissingContent): void => {
      loss.count++;
      loss.bytes += missing.length;
      if (loss.missing.length < MOST_TOLD) loss.missing.push(missing);
    };
    if (record.root.kind === 'stream') {
      const hurt = await hurtOf(record.root.content, this.#chunks);
      if (hurt !== undefined) for (const missing of missingContents(hurt)) add(missing);
      loss.isNews = hurt?.isNews ?? false;
      return loss;
    }
    for await (const part of walkTree(record, this.#chunks)) {
      if ('lost' in part) {
        add(toMissing(part.lost));
        loss.isNews ||= part.isNews;
        continue;
      }
      for (const { entry, hurt } of part.entries) {
        if (hurt === undefined) continue;
        loss.isNews ||= hurt.isNews;
        for (const missing of missingContents(hurt, entry.path)) add(missing);
      }
    }
    return loss;
  }

  /** Commits as any backup does, so that collectors and rotations that are under way do no harm. @returns its id */
  async #write(record: SnapshotRecord, loss: Loss): Promise<string> {
    const { beginSnapshot, signal } = this.#options;
    const writer = await beginSnapshot({
      encrypt: record.backup.encrypted,
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      const root =
        record.root.kind === 'tree' ? await this.#writeTree(writer, record) : await this.#writeStream(writer, record);
      const { newBytes, storedBytes } = writer.counts();
      const { parentId: _parent, baseFullId: _base, requestedType: _type, ...backup } = record.backup;
      const warning = `Made by a repair from ${backup.id}, which misses ${told(loss)}.`;
      await writer.adopt({
        root,
        serviceData: record.serviceData,
        backup: {
          ...backup,
          id: writer.snapshotId,
          // It is complete by itself, and nothing may build on it.
          type: 'full',
          chainLength: 0,
          status: 'damaged',
          derivedFrom: backup.id,
          ...(root.kind === 'tree' ? { checksum: `sha256:${rootHash(root.content)}` } : {}),
          warnings: [warning, ...backup.warnings].slice(0, 100),
          warningCount: backup.warningCount + 1,
          statistics: { ...backup.statistics, newBytes, storedBytes },
          completedAt: this.#parts.clock.now().toISOString(),
        },
      });
      return writer.snapshotId;
    } finally {
      await writer.abort();
    }
  }

  async #writeStream(writer: EngineSnapshotWriter, { root }: SnapshotRecord): Promise<SnapshotRoot> {
    const hurt = await hurtOf(root.content, this.#chunks);
    if (hurt === undefined) return root;
    return { ...root, content: { ...(await writer.storeSegments(hurt.segments)), missing: hurt.missing } };
  }

  async #writeTree(writer: EngineSnapshotWriter, record: SnapshotRecord): Promise<SnapshotRoot> {
    const tree = writer.beginTree();
    const lost: LostEntries[] = [];
    for await (const part of walkTree(record, this.#chunks)) {
      this.#options.signal?.throwIfAborted();
      if ('lost' in part) {
        lost.push(part.lost);
        continue;
      }
      const encoded: Uint8Array[] = [];
      for (const walked of part.entries) encoded.push(await this.#encode(writer, walked));
      let end = 0;
      await tree.append({
        bytes: Buffer.concat(encoded),
        ends: Uint32Array.from(encoded, (bytes) => (end += bytes.length)),
        paths: part.entries.map(({ entry }) => entry.path),
      });
    }
    const root = await tree.finish();
    return lost.length === 0 ? root : { ...root, lost };
  }

  async #encode(writer: EngineSnapshotWriter, { entry, encoded, hurt }: WalkedEntry): Promise<Uint8Array> {
    if (hurt === undefined) return encoded;
    const content = { ...(await writer.storeSegments(hurt.segments)), missing: hurt.missing };
    return encodeTreeEntry({ ...entry, content });
  }

  #step(action: RepairStep['action'], id: string, message: string): void {
    this.steps.push({ action, object: snapshotKey(id), message });
  }
}

const MOST_TOLD = 1000;

function toMissing({ from, until, entries }: LostEntries): MissingContent {
  return {
    path: from,
    offset: 0,
    length: 0,
    lostUntil: until ?? '',
    ...(entries === undefined ? {} : { lostEntries: entries }),
  };
}

function told({ count, bytes }: Loss): string {
  return `${bytes} bytes in ${count} ${count === 1 ? 'place' : 'places'}`;
}

/** Of the root's bytes, or of the ids of its segments or pages: what a tree's checksum is. */
function rootHash(content: Content): string {
  const hash = createHash('sha256');
  if ('inline' in content) hash.update(content.inline);
  else for (const { id } of 'segments' in content ? content.segments : content.pages) if (id !== null) hash.update(id);
  return hash.digest('hex');
}
