import { createHash } from 'node:crypto';
import type { Backup } from './backup.ts';
import { HoldfastError, isTransient } from './errors.ts';
import type { Repository } from './ports/repository.ts';
import type { Service } from './ports/service.ts';
import type { SnapshotChain } from './snapshot-chain.ts';

/** What a validation found, in the shape of the seed's example. */
export interface ValidationResult {
  valid: boolean;
  errors: string[];
  warnings: string[];
  checksumValid: boolean;
  structureValid: boolean;
  dataIntegrity: boolean;
}

const WARN_DAYS = 7;
const DAY = 86_400_000;

/** «Backup expires in 5 days» and its like: what a user should know before relying on a backup for long. */
export function expiryWarnings(backup: Pick<Backup, 'expiresAt'>, now: Date): string[] {
  if (backup.expiresAt === undefined) return [];
  const left = Date.parse(backup.expiresAt) - now.getTime();
  if (left <= 0) return ['Backup has expired'];
  const days = Math.ceil(left / DAY);
  if (days > WARN_DAYS) return [];
  return [`Backup expires in ${days} ${days === 1 ? 'day' : 'days'}`];
}

/** The result for content that was read to its end and verified. */
export function soundResult(backup: Backup, now: Date): ValidationResult {
  return {
    valid: true,
    errors: [],
    warnings: expiryWarnings(backup, now),
    checksumValid: true,
    structureValid: true,
    dataIntegrity: true,
  };
}

/**
 * The result for content that could not be read to its end. What lies behind the fault was not looked at, so nothing is
 * claimed of it: a checksum that differs leaves the rest in doubt only where the bytes could not be read at all.
 */
export function damagedResult(backup: Backup, error: HoldfastError, now: Date): ValidationResult {
  const differs = error.code === 'checksum-differs';
  const malformed = MALFORMED.has(error.code);
  return {
    valid: false,
    errors: [error.message],
    warnings: expiryWarnings(backup, now),
    checksumValid: false,
    structureValid: differs,
    dataIntegrity: differs || malformed,
  };
}

const MALFORMED = new Set(['delta-base-differs', 'delta-malformed', 'chain-broken', 'document-syntax']);

/** Faults of what is stored become findings; those that say nothing about it (a busy disk, a cancellation) do not. */
export function saysDamaged(error: unknown): error is HoldfastError {
  if (!(error instanceof HoldfastError) || isTransient(error)) return false;
  return error.kind === 'damaged' || error.code === 'snapshot-missing' || error.code === 'object-missing';
}

/**
 * Reads a stream or document through its chain and compares length and checksum with what was backed up.
 * @throws HoldfastError `checksum-differs`, `content-length-differs` (damaged); what reading throws
 */
export async function verifyContent(
  backup: Backup,
  service: Service,
  chain: SnapshotChain,
  signal: AbortSignal,
): Promise<{ bytes: number; sha256: string }> {
  if (service.read === undefined) {
    const message = `The service "${service.name}" gives no stream to verify.`;
    throw new HoldfastError('internal', 'content-is-a-tree', message);
  }
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of service.read(chain.links, signal)) {
    hash.update(piece);
    bytes += piece.byteLength;
  }
  const sha256 = hash.digest('hex');
  if (`sha256:${sha256}` !== backup.checksum) throw differs(backup, 'checksum-differs', `checksum sha256:${sha256}`);
  if (backup.contentKind === 'stream' && bytes !== backup.size) {
    throw differs(backup, 'content-length-differs', `${bytes} bytes instead of ${backup.size}`);
  }
  return { bytes, sha256 };
}

/** Decodes every chunk that a tree's snapshot needs. @throws HoldfastError `tree-damaged` (damaged) with the findings */
export async function verifyTree(backup: Backup, repository: Repository, signal: AbortSignal): Promise<void> {
  const report = await repository.check({ level: 4, snapshotIds: [backup.id], signal });
  const damage = report.findings.filter(({ severity }) => severity === 'damage');
  const [first] = damage;
  if (first === undefined) return;
  const more = damage.length > 1 ? ` and ${damage.length - 1} more findings` : '';
  throw new HoldfastError('damaged', 'tree-damaged', `${first.message} (${first.object})${more}`, {
    details: { backupId: backup.id, findings: damage.slice(0, 20).map(({ code, object }) => ({ code, object })) },
  });
}

function differs(backup: Backup, code: string, found: string): HoldfastError {
  const message = `What ${backup.id} restores to differs from what was backed up (${found}). Restore an earlier backup, and verify the repository.`;
  return new HoldfastError('damaged', code, message, { details: { backupId: backup.id } });
}
