import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiToken, LocalUser, Principal } from './access.ts';
import type { AccessManager, NewToken } from './application.ts';
import { HoldfastError } from './errors.ts';
import type { IdentifierSource } from './identifier.ts';
import { isTokenExpired, principalOfToken } from './kept-callers.ts';
import type { DocumentTable } from './ports/catalogue.ts';
import type { Clock } from './ports/clock.ts';
import type { Credentials, IdentityProvider } from './ports/identity-provider.ts';
import type { Logger } from './ports/logger.ts';
import { SignInAttempts } from './sign-in-attempts.ts';
import { normalUserName } from './user-name.ts';

const TOKEN_BYTES = 32;
const DAY = 86_400_000;
const LAST_USE_GRANULARITY = 60_000;
/** What nobody would choose for a password. */
const TOKEN = /^hf_[A-Za-z0-9_-]{43}$/;

/** A refused password is answered after a whole number of these, so that the time tells nothing of what was looked at. */
const REFUSAL_MILLISECONDS = 500;

/** What access is decided by. */
export interface AccessParts {
  tokens: DocumentTable<ApiToken>;
  users: Pick<DocumentTable<LocalUser>, 'get' | 'isEmpty'>;
  /** Asked in this order for all that is no token. */
  providers?: readonly IdentityProvider[];
  /** The configuration names a directory, an issuer or a proxy that vouches for callers. */
  isVouchedFor?: boolean;
  clock: Clock;
  nextId: IdentifierSource;
  logger: Logger;
  /** Default 500. */
  refusalMilliseconds?: number;
}

/**
 * Tells who calls, and keeps API tokens: `hf_` and 32 random bytes in base64url, of which only the SHA-256 is stored. A token is one
 * wherever it is shown, as a bearer or in the place of a password; it goes to no directory.
 */
export class TokenAccessManager implements AccessManager {
  readonly #parts: AccessParts;
  readonly #tokens: DocumentTable<ApiToken>;
  readonly #clock: Clock;
  readonly #attempts: SignInAttempts;

  constructor(parts: AccessParts) {
    this.#parts = parts;
    this.#tokens = parts.tokens;
    this.#clock = parts.clock;
    this.#attempts = new SignInAttempts(parts.clock);
  }

  async credentialsExist(): Promise<boolean> {
    if (this.#parts.isVouchedFor === true || !(await this.#tokens.isEmpty())) return true;
    return !(await this.#parts.users.isEmpty());
  }

  async identify(credentials: Credentials, address: string): Promise<Principal | undefined> {
    if (credentials.kind === 'password' && !TOKEN.test(credentials.password)) return this.#signIn(credentials, address);
    const token = credentials.kind === 'password' ? credentials.password : tokenOf(credentials);
    return token === undefined ? (await this.#ask(credentials)).found : this.#ownerOf(token);
  }

  /** Slowly for whoever is wrong, and in the same time whether the name or the password was. */
  async #signIn(credentials: Credentials & { kind: 'password' }, address: string): Promise<Principal | undefined> {
    const began = performance.now();
    const attempt = await this.#attempts.begin(credentials.name, address);
    let asked: Asked;
    try {
      // An empty password makes some directories let anybody in.
      asked = credentials.password === '' ? { others: [] } : await this.#ask(credentials);
    } catch (error) {
      attempt.abandoned();
      throw error;
    }
    if (asked.found !== undefined) {
      attempt.succeeded();
      return asked.found;
    }
    attempt.failed();
    await askAboutNobody(asked.others);
    const step = this.#parts.refusalMilliseconds ?? REFUSAL_MILLISECONDS;
    const passed = performance.now() - began;
    await delay(Math.ceil(passed / step) * step - passed);
    return undefined;
  }

  async #ask(credentials: Credentials): Promise<Asked> {
    const { providers = [] } = this.#parts;
    for (const [at, provider] of providers.entries()) {
      const found = await provider.identify(credentials);
      if (found === 'refused') return { others: providers.slice(at + 1) };
      if (found !== 'unrecognised') return { found, others: [] };
    }
    return { others: [] };
  }

  /** Compares with every token, so that the time tells neither whether one fits nor which. */
  async #ownerOf(token: string): Promise<Principal | undefined> {
    const digest = sha256(token);
    const now = this.#clock.now();
    let found: ApiToken | undefined;
    for (const candidate of await this.#tokens.list()) {
      const hash = Buffer.from(candidate.hash, 'hex');
      const fits = hash.length === digest.length && timingSafeEqual(hash, digest);
      if (fits && !isTokenExpired(candidate, now)) found = candidate;
    }
    if (found === undefined) return undefined;
    await this.#recordUse(found, now);
    return principalOfToken(found, now);
  }

  /** @throws HoldfastError `token-name-taken` (conflict): the audit log tells callers apart by it */
  async createToken(request: NewToken): Promise<{ token: string; record: Omit<ApiToken, 'hash'> }> {
    const now = this.#clock.now();
    const isToken = (await this.#tokens.list()).some(({ name }) => name === request.name);
    const isUser = (await this.#parts.users.get(normalUserName(request.name))) !== undefined;
    if (isToken || isUser) {
      const what = isToken ? 'token' : 'user';
      const message = `There is a ${what} named "${request.name}" already. Remove it first, or choose another name.`;
      throw new HoldfastError('conflict', 'token-name-taken', message, { details: { name: request.name } });
    }
    const token = `hf_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
    const record: Omit<ApiToken, 'hash'> = {
      id: this.#parts.nextId('token'),
      name: request.name,
      role: request.role,
      ...(request.resources === undefined ? {} : { resources: request.resources }),
      ...(request.grants === undefined ? {} : { grants: request.grants }),
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
      await this.#tokens.change(token.id, (current) => ({ ...current, lastUsedAt: now.toISOString() }));
    } catch (error) {
      this.#parts.logger.warn({ err: error, tokenId: token.id }, 'the use of a token could not be recorded');
    }
  }
}

/** Whom providers know, and those that were not asked because one before them knew better. */
interface Asked {
  found?: Principal;
  others: readonly IdentityProvider[];
}

/**
 * For a name that one provider keeps, the others must take their time too, and fail where they are down: else it would show that the
 * name is kept. They see neither the name nor the password.
 */
async function askAboutNobody(providers: readonly IdentityProvider[]): Promise<void> {
  const [name, password] = [randomBytes(8).toString('hex'), randomBytes(16).toString('hex')];
  for (const provider of providers) await provider.identify({ kind: 'password', name, password });
}

function tokenOf(credentials: Credentials): string | undefined {
  return credentials.kind === 'bearer' && TOKEN.test(credentials.token) ? credentials.token : undefined;
}

function sha256(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
