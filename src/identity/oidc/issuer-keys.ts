import { createRemoteJWKSet, type RemoteJWKSet } from 'jose';
import { z } from 'zod';
import type { Clock } from '../../core/ports/clock.ts';

const TIMEOUT_MILLISECONDS = 5000;
const LONGEST_DOCUMENT = 1024 * 1024;
/** An issuer that did not answer is asked again after this long, and not by every request. */
const PAUSE_MILLISECONDS = 5000;
/** Where an issuer keeps its keys may change as well. */
const DISCOVERED_FOR = 3_600_000;

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() });

/** The keys of one issuer, by OpenID Connect Discovery 1.0 section 4, found when they are first needed. */
export class IssuerKeys {
  readonly #issuer: string;
  readonly #clock: Clock;
  readonly #cooldown: number | undefined;
  #keys: { set: Promise<RemoteJWKSet>; until: number } | undefined;

  constructor(issuer: string, clock: Clock, cooldownMilliseconds: number | undefined) {
    this.#issuer = issuer;
    this.#clock = clock;
    this.#cooldown = cooldownMilliseconds;
  }

  /** @throws Error where the issuer does not say by the book where its keys are */
  ofIssuer(): Promise<RemoteJWKSet> {
    const now = this.#clock.now().getTime();
    if (this.#keys !== undefined && now < this.#keys.until) return this.#keys.set;
    const known = { set: this.#discover(), until: now + DISCOVERED_FOR };
    known.set.catch(() => {
      known.until = this.#clock.now().getTime() + PAUSE_MILLISECONDS;
    });
    this.#keys = known;
    return known.set;
  }

  async #discover(): Promise<RemoteJWKSet> {
    const url = `${this.#issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
    const response = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
    if (response.status !== 200) throw new Error(`${url} answers ${response.status}`);
    const text = await response.text();
    if (text.length > LONGEST_DOCUMENT) throw new Error(`${url} answers with more than a description`);
    const found = discoverySchema.parse(JSON.parse(text));
    if (found.issuer !== this.#issuer) throw new Error(`${url} is the description of another issuer: ${found.issuer}`);
    const keys = new URL(found.jwks_uri);
    // Keys that came over the network in the clear could be anybody's.
    const isAsSafe = keys.protocol === 'https:' || keys.origin === new URL(this.#issuer).origin;
    if (!isAsSafe) throw new Error(`${url} names keys that are not fetched by https`);
    return createRemoteJWKSet(keys, {
      timeoutDuration: TIMEOUT_MILLISECONDS,
      ...(this.#cooldown === undefined ? {} : { cooldownDuration: this.#cooldown }),
    });
  }
}
