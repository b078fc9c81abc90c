import type { MaskingRun } from '../../masking/masking-run.ts';
import type { FilePlan } from '../../variant-plan.ts';
import { fileFailed } from './archive-fault.ts';
import { FileMasker } from './file-masker.ts';

/**
 * The variant of a single file, or of a stream, whose name is `content`.
 * @param filePlan that of `filePlanOf`; undefined: no pattern means the file
 * @param name its path within the backup
 * @throws HoldfastError `variant-failed` (invalid) naming the file: no pattern means it, it is left out, or its rules cannot be applied to it
 */
export async function* maskFile(
  bytes: AsyncIterable<Uint8Array>,
  filePlan: FilePlan | undefined,
  name: string,
  run: MaskingRun,
): AsyncGenerator<Uint8Array> {
  if (filePlan === undefined)
    throw fileFailed(name, 'is meant by no pattern under `files` of the masking policy. Name it there.');
  if (filePlan.fate === 'drop') throw fileFailed(name, 'is left out by the masking policy, and there is no other.');
  if (filePlan.fate === 'keep') {
    yield* bytes;
    return;
  }
  const masker = new FileMasker(run);
  try {
    yield* masker.mask(bytes, filePlan, name);
  } finally {
    await masker.close();
  }
}
