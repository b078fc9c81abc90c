import { choiceInvalid } from '../../../core/download-choice.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import type { FilePlan } from '../../variant-plan.ts';
import { fileFailed, shownPath } from './archive-fault.ts';
import { FileMasker, filePlanOf, filePlans } from './file-masker.ts';
import { HeldFolders } from './held-folders.ts';
import { joinedPieces } from './joined-pieces.ts';
import { KeptFilesWatch } from './kept-files-watch.ts';
import { spooled } from './private-spool.ts';
import { type TarEntry, tarEntries } from './tar-entries.ts';
import { BLOCK, headerBytes, headerBytesWithSize, isSparse, paddingLength } from './tar-headers.ts';

export interface ArchiveOptions {
  /** Where files are kept while they are masked: their size, which comes before them, is known only then. */
  temporaryFolder: string;
  /** The archive holds chosen paths alone, so that rules for others need not match anything. */
  isPart?: boolean;
}

/**
 * The variant of a tar archive. What is kept comes through byte for byte, with all that its headers say; a masked file's header gets its new size alone. Folders are given
 * where the plan keeps them or something below them is given. Counts are by pattern.
 * @throws HoldfastError `variant-failed` (invalid) naming the file, before anything of it is given: one that no pattern means, or that its rules cannot be applied to; at the
 * end, where a pattern that masks or drops has met nothing, since what it was for may have been kept; `variant-content-unreadable` (damaged); the abort's reason
 */
export function maskArchive(
  bytes: AsyncIterable<Uint8Array>,
  run: MaskingRun,
  options: ArchiveOptions,
): AsyncGenerator<Uint8Array> {
  return joinedPieces(maskedEntries(bytes, run, options));
}

/**
 * Which of these paths the variant of an archive has something at or below. Reads names, and holds them all against the plans as `maskArchive` does: what was
 * renamed and so is meant by another pattern is found, wherever it is.
 * @throws HoldfastError as `maskArchive` does for names; `download-choice-invalid` (invalid) where a file has several names of which the first is masked and
 * another one kept: in the whole archive that is a link to what is masked, and alone it would be the file as it was
 */
export async function pathsGiven(
  bytes: AsyncIterable<Uint8Array>,
  run: MaskingRun,
  paths: readonly string[],
): Promise<ReadonlySet<string>> {
  const plans = new MetPlans(filePlans(run));
  const found = new Set<string>();
  for await (const entry of tarEntries(bytes, run.signal)) {
    const { plan } = decided(entry, plans);
    if (plan === undefined) continue;
    const name = shownPath(entry.name);
    if (entry.linkTo !== undefined) demandSameAlone(name, plan, shownPath(entry.linkTo), plans);
    for (const path of paths) if (name === path || name.startsWith(`${path}/`)) found.add(path);
  }
  plans.demandAllMet();
  return found;
}

const ZEROS = new Uint8Array(2 * BLOCK);

async function* maskedEntries(
  bytes: AsyncIterable<Uint8Array>,
  run: MaskingRun,
  { temporaryFolder, isPart = false }: ArchiveOptions,
): AsyncGenerator<Uint8Array> {
  const plans = new MetPlans(filePlans(run));
  const masker = new FileMasker(run);
  const watch = new KeptFilesWatch(run);
  const folders = new HeldFolders();
  try {
    for await (const entry of tarEntries(bytes, run.signal)) {
      yield* entry.headers.global;
      folders.leave(entry.name);
      const { fate, plan } = decided(entry, plans);
      if (fate === 'hold') folders.hold(entry.name, headerBytes(entry.headers));
      if (fate === 'keep') {
        yield* folders.take();
        yield headerBytes(entry.headers);
        yield* watch.bytes(entry.bytes, plan.pattern);
        yield ZEROS.subarray(0, paddingLength(entry.size));
      }
      if (fate === 'mask') {
        const masked = masker.mask(entry.bytes, plan, shownPath(entry.name));
        const whole = await spooled(masked, temporaryFolder, run.signal);
        try {
          yield* folders.take();
          yield headerBytesWithSize(entry.headers, whole.size);
          yield* whole.bytes();
          yield ZEROS.subarray(0, paddingLength(whole.size));
        } finally {
          await whole.close();
        }
      }
    }
    if (!isPart) plans.demandAllMet();
    yield ZEROS;
  } finally {
    await masker.close();
  }
}

/** `hold`: a folder that is given only if something below it is. */
type Decision = { fate: 'drop' | 'hold'; plan?: undefined } | { fate: 'keep' | 'mask'; plan: FilePlan };

/** The plans, and which of them have met anything. */
class MetPlans {
  readonly #plans: readonly FilePlan[];
  readonly #met = new Set<FilePlan>();

  constructor(plans: readonly FilePlan[]) {
    this.#plans = plans;
  }

  of(path: string): FilePlan | undefined {
    const plan = filePlanOf(this.#plans, path);
    if (plan !== undefined) this.#met.add(plan);
    return plan;
  }

  demandAllMet(): void {
    const unmet = this.#plans.find((plan) => plan.fate !== 'keep' && !this.#met.has(plan));
    if (unmet === undefined) return;
    const message = `No file is meant by the pattern ${JSON.stringify(unmet.pattern)} of the masking policy, or those that are, an earlier one means. What it was for may have been kept, so nothing more is given of the variant. Correct it or take it out.`;
    throw new HoldfastError('invalid', 'variant-failed', message, { details: { pattern: unmet.pattern } });
  }
}

function decided(entry: TarEntry, plans: MetPlans): Decision {
  const path = shownPath(entry.name);
  const plan = plans.of(path);
  if (entry.kind === 'directory') return plan?.fate === 'keep' ? { fate: 'keep', plan } : { fate: 'hold' };
  if (plan === undefined)
    throw fileFailed(path, 'is meant by no pattern under `files` of the masking policy. Name it there.');
  if (plan.fate === 'drop') return { fate: 'drop' };
  if (entry.linkTo !== undefined) demandSame(path, plan, shownPath(entry.linkTo), plans);
  // A further name has no data of its own; a symbolic link or a device has nothing to mask.
  if (plan.fate === 'keep' || entry.kind !== 'file') return { fate: 'keep', plan };
  if (isSparse(entry.headers)) throw fileFailed(path, 'has holes, which a file that is to be masked must not have.');
  return { fate: 'mask', plan };
}

function demandSameAlone(path: string, plan: FilePlan, target: string, plans: MetPlans): void {
  const targetPlan = plans.of(target);
  if (targetPlan === plan || targetPlan?.fate === 'keep') return;
  const named = `${JSON.stringify(path)} and ${JSON.stringify(target)} are names of one file by different rules`;
  throw choiceInvalid(`Paths of this variant cannot be chosen: ${named}. Leave \`path\` away.`);
}

/** A further name of a file gives what its first name does: not what is left out, and not unmasked what is to be masked here. */
function demandSame(path: string, plan: FilePlan, target: string, plans: MetPlans): void {
  const targetPlan = plans.of(target);
  const other = `is another name of ${JSON.stringify(target)}`;
  if (targetPlan === undefined || targetPlan.fate === 'drop')
    throw fileFailed(path, `${other}, which is left out. Keep both or drop both.`);
  if (plan.fate !== 'keep' && targetPlan !== plan)
    throw fileFailed(path, `${other}, whose rules are others. Let one pattern mean both.`);
}
