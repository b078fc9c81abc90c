import type { CheckFinding, CheckOptions } from '../../core/ports/repository-check.ts';
import { inLanes } from '../lanes.ts';
import { packIdOf } from '../pack-format.ts';
import type { EngineTask } from '../pipeline/engine-tasks.ts';
import { ENGINE_MODULE } from '../pipeline/messages.ts';
import type { CheckedPack } from '../pipeline/pack-check.ts';
import type { PoolSession } from '../pipeline/task-pool.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { findingOf } from './findings.ts';
import type { VerificationLedger } from './verification-ledger.ts';

export interface PackChecksOptions extends Pick<CheckOptions, 'signal' | 'report'> {
  level: 3 | 4;
  sizes: ReadonlyMap<string, number>;
  /** No pack is begun after this many milliseconds. */
  maxDurationMilliseconds: number;
  ledger: VerificationLedger;
  /** Whether a pack that is not in the storage is one that a collector removed meanwhile. */
  wasRemoved(key: string): Promise<boolean>;
}

export interface PackChecksResult {
  findings: CheckFinding[];
  packs: number;
  chunks: number;
  bytes: number;
}

/** Reads packs in the worker threads (levels 3 and 4) and notes in the ledger what came of each. */
export async function checkPacks(
  parts: RepositoryParts,
  keys: readonly string[],
  options: PackChecksOptions,
): Promise<PackChecksResult> {
  const { pool, keyring, index, clock } = parts;
  const { sizes, ledger, signal } = options;
  const totalBytes = keys.reduce((sum, key) => sum + (sizes.get(key) ?? 0), 0);
  const result: PackChecksResult = { findings: [], packs: 0, chunks: 0, bytes: 0 };
  const deadline = performance.now() + options.maxDurationMilliseconds;
  const present = new Set([...sizes.keys()].map((key) => packIdOf(key) ?? ''));
  const session = pool.openSession({ keyring: keyring().secrets(), index: index.shared }, index.callbacks);
  const checkOne = async (key: string, packId: string): Promise<void> => {
    const checked = await checkTwice(session, key, sizes.get(key) ?? 0, options);
    if (checked === undefined) return;
    result.findings.push(...checked.findings);
    result.chunks += checked.chunks;
    result.bytes += checked.bytes;
    result.packs++;
    const sound = checked.findings.length === 0;
    if (sound || checked.findings.some(({ severity }) => severity === 'damage'))
      ledger.note(packId, sound ? options.level : 0, clock.now());
    if (ledger.unwritten >= NOTES_AT_ONCE) await writeLedger();
  };
  const writeLedger = async (): Promise<void> => {
    try {
      await ledger.flush(present);
    } catch (error) {
      result.findings.push({ ...findingOf(error, 'verify/'), severity: 'warning', code: 'ledger-not-written' });
    }
  };
  try {
    let begun = 0;
    await inLanes(keys, pool.size * 2, async (key) => {
      signal?.throwIfAborted();
      if (begun > 0 && performance.now() >= deadline) return;
      begun++;
      const packId = packIdOf(key);
      if (packId === undefined) result.findings.push(unknownObject(key));
      else await checkOne(key, packId);
      const { packs, bytes } = result;
      options.report?.({ phase: 'packs', done: packs, total: keys.length, doneBytes: bytes, totalBytes });
    });
  } finally {
    await session.close(false);
    // What was read was read, also if the check ends early.
    await writeLedger();
  }
  return result;
}

/** Memory and networks err too: damage is declared only when a second read shows it again. @returns undefined for a removed pack */
async function checkTwice(
  session: PoolSession,
  key: string,
  size: number,
  { level, wasRemoved }: PackChecksOptions,
): Promise<CheckedPack | undefined> {
  const task: EngineTask = { kind: 'check-pack', key, size, decode: level >= 4 };
  const check = async (): Promise<CheckedPack> => {
    try {
      return (await session.run(ENGINE_MODULE, {}, task)) as CheckedPack;
    } catch (error) {
      return { findings: [findingOf(error, key)], chunks: 0, bytes: 0 };
    }
  };
  const first = await check();
  if (first.findings.length === 0) return first;
  const second = await check();
  const isGone = second.findings.some(({ code }) => code === 'object-missing');
  return isGone && (await wasRemoved(key)) ? undefined : second;
}

function unknownObject(key: string): CheckFinding {
  return {
    severity: 'warning',
    code: 'object-unknown',
    object: key,
    message: `${key} is not named as a pack; nothing reads it.`,
  };
}

const NOTES_AT_ONCE = 1000;
