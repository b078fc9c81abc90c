import { type ChildEnd, plainEnvironment, startChild } from '../../../process/child-process.ts';
import { damaged, toolKilled, toolMissing } from './decoding-faults.ts';
import type { Compression } from './detection.ts';
import { throughProcess } from './process-stage.ts';

/** More than `xz -9` needs; what asks for more is no backup. Bytes. */
const XZ_MEMORY = 1 << 30;

/** The programs themselves: unlike the decoders of Node.js they tell when something else follows what they understood. */
const PROGRAMS: Readonly<Record<Exclude<Compression, 'none'>, Program>> = {
  gzip: { program: 'gzip', args: ['-dc'], package: 'gzip' },
  zstd: { program: 'zstd', args: ['-dcq'], package: 'zstd' },
  xz: { program: 'xz', args: ['-dc', `--memlimit-decompress=${XZ_MEMORY}`], package: 'xz-utils' },
  bzip2: { program: 'bzip2', args: ['-dc'], package: 'bzip2' },
};

interface Program {
  program: string;
  args: readonly string[];
  package: string;
}

/**
 * Decompresses; several members or frames after each other are one.
 * @throws HoldfastError `external-backup-damaged` (damaged) where the input is damaged, cut, or goes on as something else
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
  return damaged(compression, end);
}
