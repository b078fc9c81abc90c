import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ApiToken, Principal, Role } from './access.ts';
import type { AccessManager } from './application.ts';
import { HoldfastError } from './errors.ts';
import type { IdentifierSource } from './identifier.ts';
import type { DocumentTable } from './ports/catalogue.ts';
import type { Clock } from './ports/clock.ts';
import type { Logger } from './ports/logger.ts';

const TOKEN_BYTES = 32;
const DAY = 86_400_000;
const LAST_USE_GRANULARITY = 60_000;

/** Keeps API tokens: `hf_` and 32 random bytes in base64url, of which only the SHA-256 is stored. */
export class TokenAccessManager implements AccessManager {
  readonly #tokens: DocumentTable<ApiToken>;
  readonly #clock: Clock;
  readonly #nextId: IdentifierSource;
  readonly #logger: Logger;

  constructor(parts: { tokens: DocumentTable<ApiToken>; clock: Clock; nextId: IdentifierSource; logger: Logger }) {
    this.#tokens = parts.tokens;
    this.#clock = parts.clock;
    this.#nextId = parts.nextId;
    this.#logger = parts.logger;
  }

  async credentialsExist(): Promise<boolean> {
    return (await this.#tokens.list()).length > 0;
  }

  /** Compares with every token, so that the time tells neither whether one fits nor which. */
  async authenticate(token: string): Promise<Principal | undefined> {
    const digest = sha256(token);
    const now = this.#clock.now();
    let found: ApiToken | undefined;
    for (const candidate of await this.#tokens.list()) {
      const hash = Buffer.from(candidate.hash, 'hex');
      const fits = hash.length === digest.length && timingSafeEqual(hash, digest);
      if (fits && !isExpired(candidate, now)) found = candidate;
    }
    if (found === undefined) return undefined;
    await this.#recordUse(found, now);
    return {
      name: found.name,
      role: found.role,
      ...(found.resources === undefined ? {} : { resources: found.resources }),
    };
  }

  /** @throws HoldfastError `token-name-taken` (conflict): the audit log tells callers apart by it */
  async createToken(request: {
    name: string;
    role: Role;
    resources?: readonly string[];
    expiresInDays?: number;
  }): Promise<{ token: string; record: Omit<ApiToken, 'hash'> }> {
    const now = this.#clock.now();
    const taken = (await this.#tokens.list()).some(({ name }) => name === request.name);
    if (taken) {
      const message = `There is a token named "${request.name}" already. Revoke it first, or choose another name.`;
      throw new HoldfastError('conflict', 'token-name-taken', message, { details: { name: request.name } });
    }
    const token = `hf_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
    const record: Omit<ApiToken, 'hash'> = {
      id: this.#nextId('token'),
      name: request.name,
      role: request.role,
      ...(request.resources === undefined ? {} : { resources: request.resources }),
      createdAt: now.toISOString(),
      ...(request.expiresInDays === undefined
        ? {}
        : { expiresAt: new Date(now.getTime() + request.expiresInDays * DAY).toISOString() }),
    };
    await this.#tokens.put({ ...record, hash: sha256(token).toString('hex') });
    return { token, record };
  }

  async listTokens(): Promise<readonly Omit<ApiToken, 'hash'>[]> {
    return (await this.#tokens.list()).map(({ hash: _hash, ...record }) => record);
  }

  async revokeToken(id: string): Promise<void> {
    if (await this.#tokens.delete(id)) return;
    const message = `There is no token "${id}". List them with "holdfast token list".`;
    throw new HoldfastError('not-found', 'token-not-found', message, { details: { tokenId: id } });
  }

  /** Not more than once a minute, and never at the price of the request. */
  async #recordUse(token: ApiToken, now: Date): Promise<void> {
    const last = token.lastUsedAt === undefined ? 0 : Date.parse(token.lastUsedAt);
    if (now.getTime() - last < LAST_USE_GRANULARITY) return;
    try {
      const current = await this.#tokens.get(token.id);
      if (current !== undefined) await this.#tokens.put({ ...current, lastUsedAt: now.toISOString() });
    } catch (error) {
      this.#logger.warn({ err: error, tokenId: token.id }, 'the use of a token could not be recorded');
    }
  }
}

function isExpired(token: ApiToken, now: Date): boolean {
  return token.expiresAt !== undefined && Date.parse(token.expiresAt) <= now.getTime();
}

function sha256(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
