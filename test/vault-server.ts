import { randomUUID } from 'node:crypto';
import { type Asked, HttpTestServer, type JsonAnswer } from './http-test-server.ts';

/**
 * What Vault and OpenBao answer to an AppRole's login, to the renewal of its token, to the unwrapping of a secret id and to reads of
 * key/value stores of both versions, as far as it is documented. Tokens live until they are revoked, whatever their lease says, so that
 * no test is a race.
 */
export class VaultServer extends HttpTestServer {
  roleId = 'role-of-tests';
  secretId: string = randomUUID();
  /** How often the secret id may log in. */
  loginsLeft = Number.POSITIVE_INFINITY;
  leaseSeconds = 3600;
  isRenewable = true;
  /** Renewals are never answered. */
  isRenewalSilent = false;
  namespace: string | undefined;
  /** What lies in `secret/data/…` (version 2) and `old/…` (version 1). */
  readonly secrets = new Map<string, Record<string, unknown>>();
  /** What tokens may not read, by the beginning of its path. */
  denied: string | undefined;
  readonly #tokens = new Set<string>();
  readonly #wrapped = new Map<string, string>();

  /** A wrapping token of the secret id. */
  wrap(): string {
    const token = `hvs.wrapping-${randomUUID()}`;
    this.#wrapped.set(token, this.secretId);
    return token;
  }

  /** As an operator revokes tokens. */
  revokeAll(): void {
    this.#tokens.clear();
  }

  /** A token that an agent got. */
  issue(): string {
    const token = `hvs.${randomUUID()}`;
    this.#tokens.add(token);
    return token;
  }

  /** How often it was asked for something. */
  count(path: string): number {
    return this.asked.filter((asked) => asked.path === path).length;
  }

  answer({ method, path, headers, body }: Asked): JsonAnswer {
    if ((headers['x-vault-namespace'] ?? undefined) !== this.namespace) return refused(404, 'no handler for route');
    const token = String(headers['x-vault-token'] ?? '');
    if (method === 'POST' && path === '/v1/auth/approle/login') return this.#logIn(body);
    if (method === 'POST' && path === '/v1/sys/wrapping/unwrap') return this.#unwrap(token);
    if (this.isRenewalSilent && path === '/v1/auth/token/renew-self') return 'silence';
    if (!this.#tokens.has(token)) return refused(403, 'permission denied');
    if (method === 'POST' && path === '/v1/auth/token/renew-self') return this.#renew(token);
    if (path === '/v1/auth/token/lookup-self')
      return { status: 200, body: { ...EMPTY, data: { display_name: 'test' } } };
    if (this.denied !== undefined && path.startsWith(this.denied))
      return refused(403, '1 error occurred:\n\t* permission denied\n\n');
    return method === 'GET' ? this.#read(path) : refused(405, 'unsupported operation');
  }

  #logIn(body: unknown): JsonAnswer {
    const { role_id, secret_id } = body as Record<string, unknown>;
    if (role_id !== this.roleId || secret_id !== this.secretId || this.loginsLeft <= 0)
      return refused(400, 'invalid role or secret ID');
    this.loginsLeft--;
    return { status: 200, body: { ...EMPTY, auth: this.#auth(this.issue()) } };
  }

  #auth(client_token: string): object {
    const policies = { token_policies: ['default'], metadata: { role_name: 'holdfast' } };
    return {
      ...{ client_token, accessor: 'accessor', policies: ['default'], ...policies, entity_id: '' },
      ...{ lease_duration: this.leaseSeconds, renewable: this.isRenewable, token_type: 'service', orphan: true },
    };
  }

  #unwrap(token: string): JsonAnswer {
    const secret_id = this.#wrapped.get(token);
    this.#wrapped.delete(token);
    if (secret_id === undefined) return refused(400, 'wrapping token is not valid or does not exist');
    return { status: 200, body: { ...EMPTY, data: { secret_id, secret_id_accessor: 'accessor', secret_id_ttl: 0 } } };
  }

  #renew(token: string): JsonAnswer {
    if (!this.isRenewable) return refused(400, 'lease is not renewable');
    return { status: 200, body: { ...EMPTY, auth: this.#auth(token) } };
  }

  #read(path: string): JsonAnswer {
    const [, store, rest] = /^\/v1\/(secret|old)\/(.+)$/.exec(path) ?? [];
    if (store === 'old') return this.#found(this.secrets.get(`old/${rest}`));
    if (!rest?.startsWith('data/')) return { status: 404, body: { ...EMPTY, warnings: [VERSIONED] } };
    const data = this.secrets.get(`secret/${rest.slice('data/'.length)}`);
    const metadata = { created_time: '2026-01-01T00:00:00Z', deletion_time: '', destroyed: false, version: 1 };
    return this.#found(data === undefined ? undefined : { data, metadata });
  }

  #found(data: object | undefined): JsonAnswer {
    return data === undefined ? { status: 404, body: { errors: [] } } : { status: 200, body: { ...EMPTY, data } };
  }
}

const VERSIONED =
  "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv get' for this operation.";

const EMPTY = {
  ...{ request_id: 'f453111c-7be8-13ad-7c17-e46a00082fcc', lease_id: '', renewable: false, lease_duration: 0 },
  ...{ data: null, wrap_info: null, warnings: null, auth: null },
};

function refused(status: number, error: string): JsonAnswer {
  return { status, body: { errors: [error] } };
}
