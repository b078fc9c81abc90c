import { HoldfastError } from '../../../core/errors.ts';
import { type ChildEnd, plainEnvironment, startChild } from '../../../process/child-process.ts';
import { damaged, toolKilled, toolMissing } from './decoding-faults.ts';
import type { Compression } from './detection.ts';
import { throughProcess } from './process-stage.ts';

/** Mebibytes that a decoder may take: `xz -9` needs 65, `zstd --long=30` a thousand. */
const MOST_MEMORY = 1024;

/** The programs themselves: unlike the decoders of Node.js they tell when something else follows what they understood. */
const PROGRAMS: Readonly<Record<Exclude<Compression, 'none'>, Program>> = {
  gzip: { program: 'gzip', args: ['-dc'], package: 'gzip' },
  zstd: { program: 'zstd', args: ['-dcq', `--memory=${MOST_MEMORY}MB`], package: 'zstd' },
  xz: { program: 'xz', args: ['-dc', `--memlimit-decompress=${MOST_MEMORY}MiB`], package: 'xz-utils' },
  bzip2: { program: 'bzip2', args: ['-dc'], package: 'bzip2' },
};

interface Program {
  program: string;
  args: readonly string[];
  package: string;
}

/**
 * Decompresses; several members or frames after each other are one.
 * @throws HoldfastError `external-backup-damaged` (damaged) where the input is damaged, cut, or goes on as something else;
 *   `external-backup-too-large` (too-large) where its decoder would take too much memory
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  compression: Exclude<Compression, 'none'>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { program, args, package: debianPackage } = PROGRAMS[compression];
  const child = startChild(program, args, {
    ...{ environment: plainEnvironment(), signal },
    notStarted: (cause) => toolMissing(program, debianPackage, cause),
  });
  yield* throughProcess(source, { child, signal, judge: (end) => judge(compression, end) });
}

function judge(compression: string, end: ChildEnd): Error | undefined {
  if (end.signal !== null) return toolKilled(compression, end);
  // bzip2 only warns of what follows, and ends with 0.
  if (end.exitCode === 0 && !end.stderr.includes('trailing garbage')) return undefined;
  if (/too much memory|memory usage limit/i.test(end.stderr)) return needsMemory(compression);
  return damaged(compression, end);
}

function needsMemory(compression: string): HoldfastError {
  const message = `The backup was compressed by ${compression} with settings that need more than ${MOST_MEMORY} MiB of memory to be undone. Make the next ones with others.`;
  return new HoldfastError('too-large', 'external-backup-too-large', message);
}
