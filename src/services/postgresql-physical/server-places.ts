import { HoldfastError } from '../../core/errors.ts';

/** Each has its own processes, and a copy of the whole cluster on the disk. */
const AT_ONCE = 2;
const LONGEST_QUEUE = 8;

/** What somebody has who may run a throw-away server. */
export interface ServerPlace {
  /** Bytes on the disk that all others may still come to need. */
  readonly wantedByOthers: number;
  /** What this one may still come to need. */
  want(bytes: number): void;
  /** May be called more than once. */
  leave(): void;
}

/** Lets a few throw-away servers run at once; a few more wait for their turn, in order. */
export class ServerPlaces {
  readonly #wanted = new Map<ServerPlace, number>();
  readonly #waiting = new Set<() => void>();

  /**
   * @param signal ends the wait
   * @throws HoldfastError `throw-away-servers-busy` (too-many) with `details.retryAfterSeconds`
   */
  async take(signal: AbortSignal): Promise<ServerPlace> {
    signal.throwIfAborted();
    if (this.#wanted.size < AT_ONCE) return this.#place();
    if (this.#waiting.size >= LONGEST_QUEUE) throw busy();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(come);
        signal.removeEventListener('abort', give);
      };
      // Whoever leaves calls the next one at once, so that nobody else takes its place.
      const come = (): void => {
        leave();
        resolve(this.#place());
      };
      const give = (): void => {
        leave();
        reject(signal.reason);
      };
      signal.addEventListener('abort', give, { once: true });
      this.#waiting.add(come);
    });
  }

  #place(): ServerPlace {
    const wanted = this.#wanted;
    const waiting = this.#waiting;
    const place: ServerPlace = {
      get wantedByOthers() {
        return [...wanted].reduce((sum, [other, bytes]) => (other === place ? sum : sum + bytes), 0);
      },
      want(bytes) {
        if (wanted.has(place)) wanted.set(place, bytes);
      },
      leave() {
        if (!wanted.delete(place)) return;
        const [next] = waiting;
        next?.();
      },
    };
    wanted.set(place, 0);
    return place;
  }
}

function busy(): HoldfastError {
  const message = `${AT_ONCE} clusters are restored for downloads, and ${LONGEST_QUEUE} more downloads wait for that. Try again later.`;
  return new HoldfastError('too-many', 'throw-away-servers-busy', message, { details: { retryAfterSeconds: 60 } });
}
