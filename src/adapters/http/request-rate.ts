import { HoldfastError } from '../../core/errors.ts';
import type { HttpServer } from './http-server.ts';

const WINDOW_MILLISECONDS = 60_000;

/** Answers 429 to an address that sends more than `perMinute` requests in a minute; 0 means no limit. */
export function limitRequestRate(server: HttpServer, perMinute: number, now: () => number = Date.now): void {
  if (perMinute === 0) return;
  const counter = new RequestCounter(perMinute, now);
  server.addHook('onRequest', async (request, reply) => {
    const waitSeconds = counter.count(request.ip);
    if (waitSeconds === 0) return;
    reply.header('retry-after', waitSeconds);
    throw new HoldfastError(
      'too-many',
      'too-many-requests',
      `This address sent more than ${perMinute} requests in a minute. Try again in ${waitSeconds} seconds.`,
      { details: { limit: perMinute } },
    );
  });
}

/** Counts requests of each address in windows of one minute; forgets all addresses when a window ends. */
export class RequestCounter {
  readonly #limit: number;
  readonly #now: () => number;
  #counts = new Map<string, number>();
  #windowBegan = 0;

  constructor(limit: number, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  /** @returns 0 where the request may pass, else the seconds until one may */
  count(address: string): number {
    const now = this.#now();
    if (now - this.#windowBegan >= WINDOW_MILLISECONDS) {
      this.#windowBegan = now;
      this.#counts = new Map();
    }
    const count = (this.#counts.get(address) ?? 0) + 1;
    this.#counts.set(address, count);
    if (count <= this.#limit) return 0;
    return Math.max(1, Math.ceil((this.#windowBegan + WINDOW_MILLISECONDS - now) / 1000));
  }
}
