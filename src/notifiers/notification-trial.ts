import type { TriedNotification } from '../core/composition.ts';
import { HoldfastError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import { reasonOf } from './delivery.ts';
import type { Courier } from './message.ts';
import { testMessage } from './people-notifier.ts';

/** Sends a test to each place, once and whatever events it wants, and says whether it was taken. */
export function tryTargets(
  targets: readonly { configuration: { name: string }; courier: Courier }[],
  parts: { host: string; clock: Clock; signal: AbortSignal },
): Promise<TriedNotification[]> {
  return Promise.all(
    targets.map(async ({ configuration: { name }, courier }): Promise<TriedNotification> => {
      const { place } = courier;
      try {
        await courier.deliver(testMessage(name, parts), parts.signal);
        return { name, place, isTaken: true };
      } catch (error) {
        parts.signal.throwIfAborted();
        const code = error instanceof HoldfastError ? error.code : 'internal';
        return { name, place, isTaken: false, problem: { code, message: reasonOf(error) } };
      }
    }),
  );
}
