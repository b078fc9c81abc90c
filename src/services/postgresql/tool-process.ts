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
  options: { environment: NodeJS.ProcessEnv; signal: AbortSignal; name: string },
): ToolProcess {
  const { name, ...rest } = options;
  return { name, ...startChild(program, args, { ...rest, notStarted: (cause) => notStarted(program, cause) }) };
}

function notStarted(program: string, cause: unknown): HoldfastError {
  const message = `${program} cannot be started (${messageOf(cause)}). Install the PostgreSQL client tools (apt-get install postgresql-client), or name their folder by \`binaries\`.`;
  return new HoldfastError('unsupported', 'postgresql-tool-missing', message, { cause });
}
