import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { ChildEnd } from '../../../process/child-process.ts';

/** What a tool said, for the log; developers are told the rest. */
function saidBy(end: Pick<ChildEnd, 'exitCode' | 'signal' | 'stderr'> | unknown): unknown {
  if (typeof end !== 'object' || end === null || !('stderr' in end) || !('exitCode' in end)) return end;
  const { exitCode, stderr } = end;
  return new Error(`exit code ${exitCode}: ${String(stderr).slice(-LAST_CHARACTERS).trim()}`);
}

const LAST_CHARACTERS = 2000;

/** @param reason a ChildEnd, or what was thrown */
export function damaged(format: string, reason?: unknown): HoldfastError {
  const message = `The backup is damaged or cut: its ${format} data does not end as it must. Take another one, and tell the operator.`;
  return new HoldfastError('damaged', 'external-backup-damaged', message, { cause: saidBy(reason) });
}

/** @param what a sentence about key and backup */
export function wrongKey(what: string, reason?: unknown): HoldfastError {
  const message = `The backup cannot be decrypted. ${what} The operator sets both in the configuration of the resource.`;
  return new HoldfastError('wrong-key', 'external-key-wrong', message, { cause: saidBy(reason) });
}

export function toolMissing(tool: string, debianPackage: string, cause: unknown): HoldfastError {
  const message = `${tool}, which reads this backup, cannot be started (${messageOf(cause)}). Install it where the service runs: apt-get install ${debianPackage}.`;
  return new HoldfastError('unsupported', 'external-tool-missing', message, { cause });
}

export function toolKilled(tool: string, end: ChildEnd): HoldfastError {
  const message = `${tool}, which was reading this backup, was killed (${end.signal}). Look in the system's log for the reason, such as memory that ran out, and try again.`;
  return new HoldfastError('unavailable', 'external-tool-killed', message, { cause: saidBy(end) });
}

/** Programs that read a passphrase from a descriptor take its first line. */
export function secretOnOneLine(secret: string): void {
  if (!/[\r\n\0]/.test(secret)) return;
  throw wrongKey('The configured passphrase has several lines; one is wanted.');
}
