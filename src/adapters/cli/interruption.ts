import { HoldfastError } from '../../core/errors.ts';

/**
 * Ctrl-C and its like as an AbortSignal. The first one asks the work to stop cleanly, the second ends the process at once.
 *
 * A signal often comes twice: the terminal sends it to everybody in the foreground and npm passes its own on. Two
 * within half a second therefore count as one.
 */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #listener = (name: NodeJS.Signals) => this.#received(name);
  readonly #disconnected = () => this.#received('SIGTERM');
  #receivedAt: number | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Begins to listen; the process no longer ends by itself on these signals. */
  listen(): void {
    for (const name of SIGNALS) process.on(name, this.#listener);
    // The starter in bin/ holds this channel open: when it is killed, nobody is left to pass signals on.
    process.on('disconnect', this.#disconnected);
    process.channel?.unref();
  }

  stopListening(): void {
    for (const name of SIGNALS) process.off(name, this.#listener);
    process.off('disconnect', this.#disconnected);
  }

  #received(name: NodeJS.Signals): void {
    const now = performance.now();
    if (this.#receivedAt === undefined) {
      this.#receivedAt = now;
      this.#controller.abort(new HoldfastError('cancelled', 'interrupted', MESSAGE));
    } else if (now - this.#receivedAt > SAME_MILLISECONDS) {
      process.exit(name === 'SIGTERM' ? 143 : 130);
    }
  }
}

const MESSAGE = 'Interrupted before it was done. Run the command again to do it.';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const SAME_MILLISECONDS = 500;
