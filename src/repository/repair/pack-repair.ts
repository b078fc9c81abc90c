import { createHash } from 'node:crypto';
import type { CheckFinding } from '../../core/ports/repository-check.ts';
import type { RepairStep } from '../../core/ports/repository-repair.ts';
import type { LocatedChunk } from '../chunk-planner.ts';
import { isLoss } from '../content-list.ts';
import type { IndexedPack } from '../index-segment.ts';
import { decodePackHeader, PACK_HEADER_LENGTH, packIdOf, packKey } from '../pack-format.ts';
import { PackOpener } from '../pack-reader.ts';
import { CIPHER_NONE } from '../record-cipher.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { clearMark, markBad } from './bad-packs.ts';
import { ChunkCopier } from './chunk-copier.ts';
import { readAround, salvageChunks } from './pack-salvage.ts';
import { quarantine } from './quarantine.ts';
import type { Replicas } from './replicas.ts';

interface FoundPack {
  /** undefined: not in the storage */
  bytes: Buffer | undefined;
  isWhole: boolean;
}

/**
 * Mends packs one by one. The marks `bad/<id>` come first: from then on no writer that begins relies on the pack, and no
 * collector that sees the copies of its chunks takes the pack for a second place of them. Chunks that can be read are copied
 * into new packs. A damaged pack itself stays where it is until a collector finds that nothing needs it any more and removes it
 * as any other: so not one readable byte is ever taken from a writer or reader at work, and the index never leads the storage.
 */
export class PackRepair {
  readonly steps: RepairStep[] = [];
  /** Ids of packs whose places do not count: those marked, and those that a dry run would mark. */
  readonly bad: Set<string>;
  /** Ids (hex) of chunks that are saved or would be. */
  readonly saved = new Set<string>();
  /** Packs that will not stay: bad and condemned ones. */
  #going: ReadonlySet<string> = new Set();
  readonly #parts: RepositoryParts;
  readonly #replicas: Replicas;
  readonly #dryRun: boolean;

  constructor(parts: RepositoryParts, replicas: Replicas, options: { dryRun: boolean; marked: ReadonlySet<string> }) {
    this.#parts = parts;
    this.#replicas = replicas;
    this.#dryRun = options.dryRun;
    this.bad = new Set(options.marked);
  }

  /** Whether no place of a chunk can be relied on, after all packs were mended. */
  isLost(id: Uint8Array): boolean {
    const { index } = this.#parts;
    return !index.isElsewhere(id, this.bad) && !this.saved.has(Buffer.from(id).toString('hex'));
  }

  /** @param findings what a check said of this pack */
  async mend(packId: string, findings: readonly CheckFinding[]): Promise<void> {
    const found = await this.#find(packId);
    const undecodable = findings.some(({ code }) => UNDECODABLE.has(code));
    if (found.isWhole && !undecodable) {
      const unopened = findings.find(({ severity }) => severity === 'damage');
      if (unopened !== undefined)
        this.#step('leave', packId, `It has the bytes it was written with. ${unopened.message}`);
      if (this.bad.has(packId)) await this.#unmark(packId);
      return;
    }
    const fetched = found.isWhole ? undefined : await this.#replicas.fetchPack(packId);
    if (fetched === undefined) return this.#salvage(packId, found);
    if (!this.#dryRun) {
      const { storage } = this.#parts;
      if (found.bytes !== undefined) await quarantine(storage, packKey(packId), found.bytes);
      if ((await storage.putNew(packKey(packId), fetched.bytes)) === 'exists')
        await storage.replace(packKey(packId), fetched.bytes);
    }
    const what = found.bytes === undefined ? 'was missing' : 'was damaged';
    this.#step('fetch-pack', packId, `${packKey(packId)} ${what} and is fetched from ${fetched.location}.`);
    if (this.bad.has(packId)) await this.#unmark(packId);
  }

  /** A collector has removed the pack for good: its sealed round says what the mark said. */
  async forgetRemoved(packId: string): Promise<void> {
    if (!this.#dryRun) await clearMark(this.#parts.storage, packId);
    this.#step(
      'clear-mark',
      packId,
      `${packKey(packId)} was removed by a collection; its mark is not needed any more.`,
    );
  }

  async #unmark(packId: string): Promise<void> {
    this.bad.delete(packId);
    if (!this.#dryRun) {
      await clearMark(this.#parts.storage, packId);
      await this.#parts.followCollection();
    }
    this.#step('clear-mark', packId, `${packKey(packId)} is whole: backups may rely on it again.`);
  }

  async #salvage(packId: string, { bytes }: FoundPack): Promise<void> {
    const isNew = !this.bad.has(packId);
    this.bad.add(packId);
    if (!this.#dryRun && isNew) {
      await markBad(this.#parts.storage, packId);
      if (bytes !== undefined) await quarantine(this.#parts.storage, packKey(packId), bytes);
    }
    const { condemned } = await this.#parts.followCollection();
    this.#going = new Set([...condemned, ...this.bad]);
    const saved = await this.#copyChunks(packId, bytes);
    if (!isNew && saved === 0) return;
    const fate = bytes === undefined ? 'is missing' : 'is damaged';
    const rest = saved === 0 ? 'Nothing of it could be saved' : `${saved} of its chunks are copied into new packs`;
    const message = `${packKey(packId)} ${fate} and no copy of it was found. ${rest}; it is marked, so that the next backups store again what they need of it.`;
    this.#step('salvage-pack', packId, message);
  }

  /** @returns how many chunks that have no other place were copied */
  async #copyChunks(packId: string, bytes: Buffer | undefined): Promise<number> {
    const header = this.#headerOf(packId, bytes);
    if (header === undefined) return 0;
    const { kind, cipher, epoch } = decodePackHeader(header, packKey(packId));
    // Only a damaged header asks for a key that there never was.
    if (!this.#parts.keyring().hasEpoch(epoch)) return 0;
    const copier = new ChunkCopier(this.#parts, kind, cipher !== CIPHER_NONE, this.#dryRun);
    const before = this.saved.size;
    try {
      if (bytes !== undefined) {
        const opener = new PackOpener(packKey(packId), header, this.#parts.keyring());
        for (const chunks of salvageChunks(bytes, opener)) {
          const needed = chunks.filter(({ id }) => this.#save(id));
          await copier.copy(needed.map(({ plain }) => plain));
        }
      }
      await copier.copyFrom(this.#placesAboutToGo(packId));
      await copier.finish();
    } finally {
      await copier.close();
    }
    return this.saved.size - before;
  }

  /** Takes a chunk down for copying, unless it has another place that will stay, or was taken down before. */
  #save(id: Uint8Array): boolean {
    const name = Buffer.from(id).toString('hex');
    if (this.saved.has(name) || this.#parts.index.isElsewhere(id, this.#going)) return false;
    this.saved.add(name);
    return true;
  }

  /**
   * A collector may have condemned the other place of a chunk before it could know that this pack is bad: what lies there is
   * taken along before it goes.
   */
  #placesAboutToGo(packId: string): LocatedChunk[] {
    const { index } = this.#parts;
    const found: LocatedChunk[] = [];
    index.table.forEachRow((slot, number) => {
      if (index.pack(number).idHex !== packId) return;
      const { id } = index.table.rowAt(slot);
      if (this.isLost(id)) return;
      index.table.find(id, (location) => {
        const usable = !index.isGone(location.pack) && !this.bad.has(index.pack(location.pack).idHex);
        if (usable && this.#save(id)) found.push({ id, location, tags: [index.pack(number).header[5] ?? 0] });
        return usable;
      });
    });
    return found;
  }

  /** The pack's first bytes: as the index has them, for the pack's own may be damaged. */
  #headerOf(packId: string, bytes: Buffer | undefined): Buffer | undefined {
    const header = Buffer.from(this.#indexed(packId)?.header ?? bytes?.subarray(0, PACK_HEADER_LENGTH) ?? []);
    try {
      decodePackHeader(header, packKey(packId));
      return header;
    } catch (error) {
      if (!isLoss(error)) throw error;
      return undefined;
    }
  }

  #indexed(packId: string): IndexedPack | undefined {
    return this.#parts.index.packs.find(({ idHex }) => idHex === packId);
  }

  /** Reads a pack, twice if it does not look whole: memory and networks err too. */
  async #find(packId: string): Promise<FoundPack> {
    const first = await this.#read(packId);
    return first.isWhole ? first : this.#read(packId);
  }

  async #read(packId: string): Promise<FoundPack> {
    const { storage } = this.#parts;
    try {
      const bytes = await storage.get(packKey(packId));
      return { bytes, isWhole: createHash('sha256').update(bytes).digest('hex') === packId };
    } catch (error) {
      if (!isLoss(error)) throw error;
      const size = error.code === 'object-missing' ? undefined : this.#indexed(packId)?.size;
      const bytes = size === undefined ? undefined : await readAround(storage, packKey(packId), size);
      return { bytes, isWhole: false };
    }
  }

  #step(action: RepairStep['action'], packId: string, message: string): void {
    this.steps.push({ action, object: packKey(packId), message });
  }
}

/** Findings that stand even where a pack has the SHA-256 of its name: it was written wrongly. */
const UNDECODABLE = new Set(['pack-damaged']);

/** Ids of the packs that findings call damaged or missing. */
export function damagedPacksOf(findings: readonly CheckFinding[]): Set<string> {
  return new Set(findings.flatMap(({ severity, object }) => (severity === 'damage' ? (packIdOf(object) ?? []) : [])));
}
