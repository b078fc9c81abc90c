import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isSecretReference } from '../setting-schemas.ts';
import { StepFault } from '../step-failure.ts';
import type { VaultConfiguration } from './vault-configuration.ts';
import { askVault, type VaultAnswer, VaultRefusal } from './vault-request.ts';

type Authentication = NonNullable<VaultAnswer['auth']>;
type ResolveSecret = (reference: string) => Promise<string>;

const wrappedSchema = z.object({ secret_id: z.string() });

/** For how much of its time a token is used before it is renewed. */
const RENEWED_AFTER = 2 / 3;
/** Node.js waits no longer than this in one go. */
const LONGEST_WAIT = 2 ** 31 - 1;

/**
 * One login to Vault, shared by all that use the same configuration. A token is renewed when two thirds of its time are over, also
 * while nobody asks for it, because a secret id may be good for one login only; where that is refused the next use logs in anew.
 */
export class VaultSession {
  readonly #configuration: VaultConfiguration;
  readonly #resolveSecret: ResolveSecret;
  #token: Promise<string> | undefined;
  #renewal: NodeJS.Timeout | undefined;
  /** Of a secret id that came wrapped, which can be unwrapped once only. */
  #unwrapped: { by: string; secretId: string } | undefined;

  constructor(configuration: VaultConfiguration, resolveSecret: ResolveSecret) {
    this.#configuration = configuration;
    this.#resolveSecret = resolveSecret;
  }

  /**
   * Asks with the session's token. A token that is refused, because it was revoked for example, is replaced once; not one that is
   * good and only may not read this, since others use it and the secret id may be good for no other login.
   * @throws VaultRefusal, StepFault
   */
  async ask(question: { deed: string; path: string }, signal: AbortSignal): Promise<VaultAnswer> {
    const { login } = this.#configuration;
    const get = async (token: string) => askVault(this.#configuration, { ...question, method: 'GET', token }, signal);
    if (login.kind === 'token') return get(await this.#resolveSecret(login.token));
    const known = this.#token;
    try {
      return await get(await this.#current(signal));
    } catch (error) {
      const isStale = error instanceof VaultRefusal && error.status === 403 && known !== undefined;
      if (!isStale || (await this.#isGood(await known, signal))) throw error;
      if (this.#token === known) this.#forget();
      return get(await this.#current(signal));
    }
  }

  async #isGood(token: string, signal: AbortSignal): Promise<boolean> {
    const question = { deed: 'look at the token', method: 'GET' as const, path: 'auth/token/lookup-self', token };
    try {
      await askVault(this.#configuration, question, signal);
      return true;
    } catch (error) {
      if (error instanceof VaultRefusal && error.status === 403) return false;
      throw error;
    }
  }

  /** A login that somebody gives up is not taken from others that wait for it. */
  async #current(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    if (this.#token === undefined) {
      const started = this.#logIn();
      this.#token = started;
      started.catch(() => {
        if (this.#token === started) this.#forget();
      });
    }
    return this.#token;
  }

  async #logIn(): Promise<string> {
    const { login } = this.#configuration;
    if (login.kind !== 'approle') throw new StepFault('internal', 'Only an AppRole logs in.');
    const roleId = isSecretReference(login.roleId) ? await this.#resolveSecret(login.roleId) : login.roleId;
    const secret_id = await this.#secretId(await this.#resolveSecret(login.secretId), login.isWrapped);
    const { auth } = await askVault(
      this.#configuration,
      {
        ...{ deed: 'log in by AppRole', method: 'POST', path: `auth/${login.mount}/login` },
        body: { role_id: roleId, secret_id },
      },
      NEVER,
    );
    if (!auth) throw new StepFault('unavailable', 'Vault gave no token for the login.');
    this.#renewLater(auth);
    return auth.client_token;
  }

  async #secretId(given: string, isWrapped: boolean): Promise<string> {
    if (!isWrapped) return given;
    const by = createHash('sha256').update(given).digest('hex');
    if (this.#unwrapped?.by !== by) {
      const question = { deed: 'unwrap the secret id', method: 'POST' as const, path: 'sys/wrapping/unwrap' };
      const { data } = await askVault(this.#configuration, { ...question, token: given }, NEVER).catch(
        (cause: unknown) => {
          if (!(cause instanceof VaultRefusal)) throw cause;
          const message = `${cause.message} A wrapping token is good for one use and a short time: if it was not this service that used it, the secret id is known to somebody else. Revoke it and wrap a new one.`;
          throw new StepFault('unavailable', message, { cause });
        },
      );
      const parsed = wrappedSchema.safeParse(data);
      if (!parsed.success) throw new StepFault('unavailable', 'What Vault unwrapped is no secret id of an AppRole.');
      this.#unwrapped = { by, secretId: parsed.data.secret_id };
    }
    return this.#unwrapped.secretId;
  }

  /** A lease of 0 seconds has no end. */
  #renewLater({ client_token, lease_duration, renewable }: Authentication): void {
    clearTimeout(this.#renewal);
    if (lease_duration <= 0) return;
    const wait = Math.min(lease_duration * 1000 * RENEWED_AFTER, LONGEST_WAIT);
    this.#renewal = setTimeout(() => void this.#renew(client_token, renewable, lease_duration), wait).unref();
  }

  /** Vault shortens leases towards the end of a token's longest life: then a new login is better. */
  async #renew(token: string, isRenewable: boolean, earlierLease: number): Promise<void> {
    const renewed = this.#token;
    // Meanwhile the token may have been refused to somebody and replaced.
    const isCurrent = (): boolean => this.#token === renewed;
    try {
      if (!isRenewable) throw new StepFault('unavailable', 'The token cannot be renewed.');
      const question = { deed: 'renew the token', method: 'POST' as const, path: 'auth/token/renew-self', token };
      const { auth } = await askVault(this.#configuration, { ...question, body: {} }, NEVER);
      if (!auth || auth.lease_duration < earlierLease / 2)
        throw new StepFault('unavailable', 'The token is near the end of its life.');
      if (isCurrent()) this.#renewLater({ ...auth, client_token: token });
    } catch {
      // The next use logs in, and tells if that fails.
      if (isCurrent()) this.#forget();
    }
  }

  #forget(): void {
    clearTimeout(this.#renewal);
    this.#token = undefined;
  }
}

/** Requests of the session itself end by their own time limit. */
const NEVER = new AbortController().signal;
