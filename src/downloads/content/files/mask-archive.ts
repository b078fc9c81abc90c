import type { MaskingRun } from '../../masking/masking-run.ts';
import type { FilePlan } from '../../variant-plan.ts';
import { fileFailed, shownPath } from './archive-fault.ts';
import { FileMasker, filePlanOf, filePlans } from './file-masker.ts';
import { HeldFolders } from './held-folders.ts';
import { joinedPieces } from './joined-pieces.ts';
import { spooled } from './private-spool.ts';
import { type TarEntry, tarEntries } from './tar-entries.ts';
import { BLOCK, headerBytes, headerBytesWithSize, isSparse, paddingLength } from './tar-headers.ts';

export interface ArchiveOptions {
  /** Where files are kept while they are masked: their size, which comes before them, is known only then. */
  temporaryFolder: string;
}

/**
 * The variant of a tar archive. What is kept comes through byte for byte, with all that its headers say; a masked file's header gets its new size alone. Folders are given
 * where the plan keeps them or something below them is given. Counts are by pattern.
 * @throws HoldfastError `variant-failed` (invalid) naming the file, before anything of it is given: one that no pattern means, or that its rules cannot be applied to;
 * `variant-content-unreadable` (damaged); the abort's reason
 */
export function maskArchive(
  bytes: AsyncIterable<Uint8Array>,
  run: MaskingRun,
  options: ArchiveOptions,
): AsyncGenerator<Uint8Array> {
  return joinedPieces(maskedEntries(bytes, run, options));
}

const ZEROS = new Uint8Array(2 * BLOCK);

async function* maskedEntries(
  bytes: AsyncIterable<Uint8Array>,
  run: MaskingRun,
  { temporaryFolder }: ArchiveOptions,
): AsyncGenerator<Uint8Array> {
  const plans = filePlans(run);
  const masker = new FileMasker(run);
  const folders = new HeldFolders();
  try {
    for await (const entry of tarEntries(bytes, run.signal)) {
      yield* entry.headers.global;
      folders.leave(entry.name);
      const fate = fateOf(entry, plans);
      if (fate === 'drop') continue;
      if (fate === 'hold') {
        folders.hold(entry.name, headerBytes(entry.headers));
        continue;
      }
      if (fate === 'keep') {
        yield* folders.take();
        yield headerBytes(entry.headers);
        yield* entry.bytes;
        yield ZEROS.subarray(0, paddingLength(entry.size));
        continue;
      }
      const masked = await spooled(masker.mask(entry.bytes, fate, shownPath(entry.name)), temporaryFolder, run.signal);
      try {
        yield* folders.take();
        yield headerBytesWithSize(entry.headers, masked.size);
        yield* masked.bytes();
        yield ZEROS.subarray(0, paddingLength(masked.size));
      } finally {
        await masked.close();
      }
    }
    yield ZEROS;
  } finally {
    await masker.close();
  }
}

/** `hold`: a folder that is given only if something below it is; a plan: the file is masked. */
function fateOf(entry: TarEntry, plans: readonly FilePlan[]): 'keep' | 'drop' | 'hold' | FilePlan {
  const path = shownPath(entry.name);
  if (entry.kind === 'directory') {
    const plan = filePlanOf(plans, path);
    return plan?.fate === 'keep' ? 'keep' : 'hold';
  }
  const plan = filePlanOf(plans, path);
  if (plan === undefined)
    throw fileFailed(path, 'is meant by no pattern under `files` of the masking policy. Name it there.');
  if (plan.fate === 'drop' || plan.fate === 'keep') {
    if (entry.linkTo !== undefined && plan.fate === 'keep') demandGiven(path, shownPath(entry.linkTo), plans);
    return plan.fate;
  }
  // A symbolic link or a device has nothing to mask.
  if (entry.kind === 'other') return 'keep';
  if (entry.linkTo === undefined) {
    if (isSparse(entry.headers)) throw fileFailed(path, 'has holes, which a file that is to be masked must not have.');
    return plan;
  }
  if (filePlanOf(plans, shownPath(entry.linkTo)) === plan) return 'keep';
  const target = JSON.stringify(shownPath(entry.linkTo));
  throw fileFailed(path, `is another name of ${target}, whose rules are others. Let one pattern mean both.`);
}

function demandGiven(path: string, target: string, plans: readonly FilePlan[]): void {
  const plan = filePlanOf(plans, target);
  if (plan !== undefined && plan.fate !== 'drop') return;
  throw fileFailed(path, `is another name of ${JSON.stringify(target)}, which is left out. Keep both or drop both.`);
}
