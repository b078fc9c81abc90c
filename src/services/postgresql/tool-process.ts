import { execFile } from 'node:child_process';
import type { Socket } from 'node:net';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { type ChildEnd, type RunningChild, startChild } from '../../process/child-process.ts';

export type ToolEnd = Pick<ChildEnd, 'exitCode' | 'signal' | 'stderr'>;

export interface ToolProcess extends RunningChild {
  readonly name: string;
}

/** Starts a client tool in a process group of its own. An abort ends it. */
export function startTool(
  program: string,
  args: readonly string[],
  options: { environment: NodeJS.ProcessEnv; signal: AbortSignal; name: string; output?: Socket },
): ToolProcess {
  const { name, ...rest } = options;
  return { name, ...startChild(program, args, { ...rest, notStarted: (cause) => notStarted(program, cause) }) };
}

/**
 * Has a tool write its output in pieces of 256 KiB instead of 4 KiB, which takes a third of the time that it and its reader spend
 * on them, by `stdbuf` of the GNU core utilities. As it is where that is not installed or does not work.
 *
 * @param program absolute
 */
export async function writingLongPieces(
  program: string,
  args: readonly string[],
): Promise<{ program: string; args: readonly string[] }> {
  longPieces ??= new Promise((resolve) => {
    execFile('stdbuf', [LONG_PIECES, 'true'], (error) => resolve(error === null));
  });
  if (!(await longPieces)) return { program, args };
  return { program: 'stdbuf', args: [LONG_PIECES, program, ...args] };
}

const LONG_PIECES = '--output=256K';
let longPieces: Promise<boolean> | undefined;

function notStarted(program: string, cause: unknown): HoldfastError {
  const message = `${program} cannot be started (${messageOf(cause)}). Install the PostgreSQL client tools (apt-get install postgresql-client), or name their folder by \`binaries\`.`;
  return new HoldfastError('unsupported', 'postgresql-tool-missing', message, { cause });
}
