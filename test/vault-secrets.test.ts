import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { z } from 'zod';
import { vaultSchema } from '../src/services/external/vault/vault-configuration.ts';
import { VaultSecrets } from '../src/services/external/vault/vault-secrets.ts';
import { SKIP_WITHOUT_VAULT, VaultProcess } from './vault-process.ts';

const { signal } = new AbortController();
const MAY_READ = ['secret/data/backups/shop', 'old/backups/shop', 'secret/data/backups/none']
  .map((path) => `path "${path}" { capabilities = ["read"] }`)
  .join('\n');

describe('secrets in a real Vault', { skip: SKIP_WITHOUT_VAULT }, () => {
  let server: VaultProcess;
  let roleId: string;
  let roles = 0;

  before(async () => {
    server = await VaultProcess.start();
    await server.ask('POST', 'sys/policies/acl/backups', { policy: MAY_READ });
    await server.ask('POST', 'secret/data/backups/shop', { data: { passphrase: 'the passphrase' } });
    await server.ask('POST', 'old/backups/shop', { passphrase: 'the older passphrase' });
  });

  after(() => server?.close());

  /** @param role how long its tokens live, and for how many logins a secret id is good */
  const newRole = async (role: object): Promise<string> => {
    const name = `holdfast-${++roles}`;
    await server.ask('POST', `auth/approle/role/${name}`, { token_policies: 'backups', ...role });
    const answer = await server.ask('GET', `auth/approle/role/${name}/role-id`);
    roleId = z.object({ data: z.object({ role_id: z.string() }) }).parse(answer).data.role_id;
    return name;
  };

  const secretIdOf = async (role: string): Promise<string> => {
    const answer = await server.ask('POST', `auth/approle/role/${role}/secret-id`);
    return z.object({ data: z.object({ secret_id: z.string() }) }).parse(answer).data.secret_id;
  };

  const configuration = (change: Record<string, unknown> = {}) =>
    vaultSchema.parse({
      address: server.url,
      login: { kind: 'approle', roleId, secretId: 'env:SECRET_ID' },
      path: 'backups/shop',
      ...change,
    });

  const session = (secrets: Record<string, string>) =>
    new VaultSecrets(async (reference) => secrets[reference] ?? assert.fail(reference));

  it('are read by an AppRole out of stores of both versions', async () => {
    const vault = session({ 'env:SECRET_ID': await secretIdOf(await newRole({ secret_id_num_uses: 1 })) });
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    assert.equal(await vault.read(configuration({ mount: 'old', version: 1 }), signal), 'the older passphrase');
  });

  it('stay readable with a secret id for one login, as the token is renewed before it ends', async () => {
    const vault = session({
      'env:SECRET_ID': await secretIdOf(await newRole({ secret_id_num_uses: 1, token_period: '9s' })),
    });
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
  });

  it('need a new login after the token ended', async () => {
    const role = await newRole({ token_explicit_max_ttl: '3s', token_ttl: '3s' });
    const vault = session({ 'env:SECRET_ID': await secretIdOf(role) });
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    await new Promise((resolve) => setTimeout(resolve, 4500));
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
  });

  it('are read with a secret id that comes wrapped, which is unwrapped once', async () => {
    const path = `auth/approle/role/${await newRole({})}/secret-id`;
    const answer = await server.ask('POST', path, undefined, { 'X-Vault-Wrap-TTL': '60s' });
    const { token } = z.object({ wrap_info: z.object({ token: z.string() }) }).parse(answer).wrap_info;
    const login = { kind: 'approle', roleId, secretId: 'env:WRAPPED', isWrapped: true };
    const vault = session({ 'env:WRAPPED': token });
    assert.equal(await vault.read(configuration({ login }), signal), 'the passphrase');
    const later = session({ 'env:WRAPPED': token });
    await assert.rejects(later.read(configuration({ login }), signal), /good for one use.*known to somebody else/);
  });

  it('are read with the token of an agent', async () => {
    const answer = await server.ask('POST', 'auth/token/create', { policies: ['backups'], ttl: '60s' });
    const { client_token } = z.object({ auth: z.object({ client_token: z.string() }) }).parse(answer).auth;
    const vault = session({ 'file:/run/agent/token': client_token });
    const login = { kind: 'token', token: 'file:/run/agent/token' };
    assert.equal(await vault.read(configuration({ login }), signal), 'the passphrase');
  });

  it('that may not be read, or are not there, are told with what to look at, and without a secret', async () => {
    const secretId = await secretIdOf(await newRole({}));
    const failures: [Record<string, unknown>, RegExp][] = [
      [{ path: 'backups/none' }, /backups\/none/],
      [{ path: 'backups/of-others' }, /\(403.*permission denied/s],
      [{ field: 'other' }, /other/],
      [{ mount: 'none' }, /\(403|404/],
      [{ login: { kind: 'approle', roleId: 'wrong', secretId: 'env:SECRET_ID' } }, /did not log in by AppRole \(400/],
    ];
    for (const [change, expected] of failures)
      await assert.rejects(
        session({ 'env:SECRET_ID': secretId }).read(configuration(change), signal),
        (error: Error) => {
          assert.match(error.message, expected);
          const told = JSON.stringify([error.message, String(error.cause)]);
          for (const secret of [secretId, 'the passphrase']) assert.ok(!told.includes(secret));
          return true;
        },
      );
  });
});
