import type { Logger } from 'pino';

let shared: Promise<Logger> | undefined;

/** One log for all parts of a process, to standard error, because standard output is for results. The first level asked for stays. */
export function processLog(level: string): Promise<Logger> {
  shared ??= import('pino').then(({ default: pino }) => pino({ level }, pino.destination({ dest: 2, sync: true })));
  return shared;
}
