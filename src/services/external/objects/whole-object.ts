import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, isTransient } from '../../../core/errors.ts';
import type { ObjectSource, OpenObject } from '../../../core/ports/object-source.ts';

/** Connections that may fail one after the other without a byte coming through. */
const MOST_FAILURES = 5;
const FIRST_DELAY = 250;

/**
 * The bytes of an object from the first to the last, all of one version of it. A connection that breaks is made again where it
 * broke. The end without an error means that as many bytes came as the object has.
 *
 * @param options `expected`: bytes that whoever found it said it has; `firstDelayMilliseconds`: doubles with each failure
 * @throws HoldfastError `object-missing`, `object-changed`, `object-short`, or what the source throws for good
 */
export async function* readWholeObject(
  source: ObjectSource,
  key: string,
  options: { expected?: number | undefined; signal: AbortSignal; firstDelayMilliseconds?: number },
): AsyncGenerator<Uint8Array> {
  const { expected, signal, firstDelayMilliseconds = FIRST_DELAY } = options;
  let opened: OpenObject | undefined;
  let offset = 0;
  for (let failures = 0; ; ) {
    try {
      const next = await source.open(key, { offset, signal, ...tagged(opened) });
      const wrong = wrongSize(key, next.size, { before: opened?.size, expected });
      opened ??= next;
      for await (const piece of next.bytes) {
        // Not earlier: only who began to read ends the connection by leaving.
        if (wrong !== undefined) throw wrong;
        offset += piece.byteLength;
        failures = 0;
        if (offset > opened.size) throw changed(key);
        yield piece;
      }
      signal.throwIfAborted();
      if (wrong !== undefined) throw wrong;
      if (offset === opened.size) return;
      // It ended early without an error: the same as a broken connection.
      throw new HoldfastError('unavailable', 'object-short', `Of "${key}" came ${offset} of ${opened.size} bytes.`);
    } catch (error) {
      signal.throwIfAborted();
      failures++;
      if (failures >= MOST_FAILURES || !mayPass(error, offset)) throw error;
      // The connection broke after the last byte had come.
      if (opened !== undefined && offset === opened.size) return;
      // Without a name for its version, it may be another object by now.
      if (offset > 0 && opened?.entityTag === undefined) throw error;
      const delay = firstDelayMilliseconds * 2 ** (failures - 1) * (0.5 + Math.random() / 2);
      await sleep(delay, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

function tagged(opened: OpenObject | undefined): { entityTag?: string } {
  return opened?.entityTag === undefined ? {} : { entityTag: opened.entityTag };
}

/** After the first byte, what a source cannot name is most likely its connection. */
function mayPass(error: unknown, offset: number): boolean {
  return isTransient(error) || (offset > 0 && !(error instanceof HoldfastError));
}

function wrongSize(
  key: string,
  size: number,
  { before, expected }: { before: number | undefined; expected: number | undefined },
): HoldfastError | undefined {
  if (before !== undefined) return size === before ? undefined : changed(key);
  return expected === undefined || size === expected ? undefined : ofOtherSize(key, size, expected);
}

function changed(key: string): HoldfastError {
  return new HoldfastError('conflict', 'object-changed', `"${key}" was changed while it was read.`);
}

function ofOtherSize(key: string, size: number, expected: number): HoldfastError {
  const message = `"${key}" has ${size} bytes instead of the ${expected} that it was listed with.`;
  return new HoldfastError('damaged', 'object-size-differs', message);
}
