import { createHash } from 'node:crypto';
import { canonicalText } from '../../core/canonical-json.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { DEEPEST_DOCUMENT, type JsonLimits, readCanonicalText, readJsonDocument } from '../../core/json-document.ts';
import type { JsonValue } from '../../core/json-value.ts';
import { applyDelta, parseDelta } from './apply-delta.ts';
import { computeDelta } from './delta.ts';

/** One backup of a chain with the bytes that it stored. */
export interface StoredLink {
  backupId: string;
  /** `sha256:` + hex of the canonical document as of this backup. */
  checksum: string;
  stored: 'document' | 'delta';
  bytes: Uint8Array;
}

export interface PrepareTask {
  input: Uint8Array;
  limits: JsonLimits;
  /** From a whole document to the base; empty if no delta is wanted. */
  chain: readonly StoredLink[];
}

export interface PreparedDocument {
  canonical: Uint8Array<ArrayBuffer>;
  checksum: string;
  /** Canonical JSON of the delta against the chain's end, where it is worth storing. */
  delta?: Uint8Array<ArrayBuffer>;
  /** Why there is no delta although a chain was given, as a sentence. */
  withoutDelta?: string;
}

/**
 * Deltas up to this many bytes are stored even if the document is shorter: next to what a backup takes anyway nothing is
 * gained by a full one, and small documents would never get the incremental backup that was asked for.
 */
const SMALL_DELTA = 4096;
/** A delta's own levels above the values in it: itself, a list, an edit. */
const DELTA_LEVELS = 3;

/**
 * Turns posted JSON into what a backup stores.
 *
 * @throws HoldfastError as `readJsonDocument` does for the input; a chain that cannot be restored is no error: then the
 * document is to be stored whole
 */
export function prepareDocument({ input, limits, chain }: PrepareTask): PreparedDocument {
  const document = readJsonDocument(input, limits);
  const canonical = canonicalText(document);
  const whole = { canonical, checksum: checksumOf(canonical) };
  if (chain.length === 0) return whole;
  const base = restoreBase(chain);
  if ('fault' in base) return { ...whole, withoutDelta: base.fault };
  const delta = canonicalText(computeDelta(base.value, document));
  if (delta.byteLength <= SMALL_DELTA || delta.byteLength < canonical.byteLength) return { ...whole, delta };
  const withoutDelta = `The delta (${delta.byteLength} bytes) is not smaller than the document (${canonical.byteLength} bytes).`;
  return { ...whole, withoutDelta };
}

/**
 * Rebuilds the document of a chain's last backup and checks the document of every backup on the way.
 *
 * @param chain a whole document and the deltas that follow it
 * @returns the canonical text
 * @throws HoldfastError `checksum-differs`, `delta-base-differs`, `delta-malformed`, `chain-broken` (damaged)
 */
export function rebuildDocument(chain: readonly StoredLink[]): Uint8Array {
  return rebuild(chain).canonical;
}

export function checksumOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function restoreBase(chain: readonly StoredLink[]): { value: JsonValue } | { fault: string } {
  try {
    const { value = readWhole(chain[0] as StoredLink) } = rebuild(chain);
    return { value };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.kind !== 'damaged') throw error;
    return { fault: `The backup that it would build on cannot be restored: ${messageOf(error)}` };
  }
}

/** `value` is absent where no delta made it necessary to parse the text. */
function rebuild(chain: readonly StoredLink[]): { canonical: Uint8Array; value?: JsonValue } {
  const [first, ...deltas] = chain;
  if (first === undefined || first.stored !== 'document') throw chainBroken(first, 'a whole document');
  verify(first, first.bytes);
  let canonical = first.bytes;
  if (deltas.length === 0) return { canonical };
  let value = readWhole(first);
  for (const link of deltas) {
    if (link.stored !== 'delta') throw chainBroken(link, 'a delta');
    value = applyLink(value, link);
    canonical = canonicalText(value);
    verify(link, canonical);
  }
  return { canonical, value };
}

/** What a backup stored may be anything, and recorded with the checksum of that. */
function readWhole(link: StoredLink): JsonValue {
  try {
    return readCanonicalText(link.bytes);
  } catch (error) {
    if (error instanceof HoldfastError) throw chainBroken(link, 'a whole document', error);
    throw error;
  }
}

function applyLink(value: JsonValue, link: StoredLink): JsonValue {
  try {
    return applyDelta(value, parseDelta(readCanonicalText(link.bytes, DEEPEST_DOCUMENT + DELTA_LEVELS)));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const { code, message, details } = error;
    throw new HoldfastError('damaged', code, `Backup ${link.backupId} cannot be restored. ${message}`, {
      cause: error,
      details: { ...details, backupId: link.backupId },
    });
  }
}

function verify(link: StoredLink, canonical: Uint8Array): void {
  const found = checksumOf(canonical);
  if (found === link.checksum) return;
  const message = `The document of backup ${link.backupId} differs from what was backed up (checksum ${found} instead of ${link.checksum}). Restore an earlier backup, and verify the repository.`;
  throw new HoldfastError('damaged', 'checksum-differs', message, {
    details: { backupId: link.backupId, expected: link.checksum, found },
  });
}

function chainBroken(link: StoredLink | undefined, expected: string, cause?: unknown): HoldfastError {
  const where = link === undefined ? 'The chain is empty' : `Backup ${link.backupId} does not hold ${expected}`;
  const message = `${where}, so that the document cannot be rebuilt. Restore an earlier backup, and verify the repository.`;
  return new HoldfastError('damaged', 'chain-broken', message, { cause, details: { backupId: link?.backupId } });
}
