import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { certificate } from '../../../../test/certificate.ts';
import { skipWithout } from '../../../../test/installed-programs.ts';
import { VaultServer } from '../../../../test/vault-server.ts';
import { vaultSchema } from './vault-configuration.ts';
import { VaultSecrets } from './vault-secrets.ts';

const { signal } = new AbortController();
const LOGIN = '/v1/auth/approle/login';
const RENEWAL = '/v1/auth/token/renew-self';

describe('secrets in Vault', () => {
  let server: VaultServer;
  let vault: VaultSecrets;
  let references: Record<string, string>;

  beforeEach(async () => {
    server = await new VaultServer().start();
    server.secrets.set('secret/backups/shop', { passphrase: 'the passphrase', other: 1 });
    server.secrets.set('old/backups/shop', { passphrase: 'the older passphrase' });
    references = { 'env:SECRET_ID': server.secretId, 'env:ROLE_ID': server.roleId };
    vault = new VaultSecrets(async (reference) => references[reference] ?? '');
  });

  afterEach(() => server.close());

  const configuration = (change: Record<string, unknown> = {}) =>
    vaultSchema.parse({
      address: server.url,
      login: { kind: 'approle', roleId: 'role-of-tests', secretId: 'env:SECRET_ID' },
      path: 'backups/shop',
      ...change,
    });

  it('are read by an AppRole out of stores of both versions, with one login', async () => {
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    assert.equal(await vault.read(configuration({ mount: 'old', version: 1 }), signal), 'the older passphrase');
    assert.equal(server.count(LOGIN), 1);
    const asked = server.asked.at(-1);
    assert.equal(asked?.headers['x-vault-request'], 'true');
  });

  it('are read once by many at a time with one login', async () => {
    const read = await Promise.all(Array.from({ length: 10 }, () => vault.read(configuration(), signal)));
    assert.deepEqual(new Set(read), new Set(['the passphrase']));
    assert.equal(server.count(LOGIN), 1);
  });

  it('are read in a namespace, and with a role id that is a reference', async () => {
    server.namespace = 'team/backups';
    const login = { kind: 'approle', roleId: 'env:ROLE_ID', secretId: 'env:SECRET_ID' };
    assert.equal(await vault.read(configuration({ namespace: 'team/backups', login }), signal), 'the passphrase');
    await assert.rejects(vault.read(configuration({ login }), signal), /no handler for route/);
  });

  it('are read with a secret id that comes wrapped, which is unwrapped once', async () => {
    references['env:WRAPPED'] = server.wrap();
    const login = { kind: 'approle', roleId: server.roleId, secretId: 'env:WRAPPED', isWrapped: true };
    assert.equal(await vault.read(configuration({ login }), signal), 'the passphrase');
    server.revokeAll();
    assert.equal(await vault.read(configuration({ login }), signal), 'the passphrase');
    assert.equal(server.count('/v1/sys/wrapping/unwrap'), 1);
    const later = new VaultSecrets(async (reference) => references[reference] ?? '');
    await assert.rejects(later.read(configuration({ login }), signal), /good for one use.*known to somebody else/);
  });

  it('are read with the token of an agent, which is looked at anew each time', async () => {
    references['file:/run/agent/token'] = server.issue();
    const login = { kind: 'token', token: 'file:/run/agent/token' };
    assert.equal(await vault.read(configuration({ login }), signal), 'the passphrase');
    server.revokeAll();
    await assert.rejects(vault.read(configuration({ login }), signal), /permission denied/);
    references['file:/run/agent/token'] = server.issue();
    assert.equal(await vault.read(configuration({ login }), signal), 'the passphrase');
    assert.equal(server.count(LOGIN), 0);
  });

  it('need a new login after the token was revoked, and say no if that is refused too', async () => {
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    server.revokeAll();
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    assert.equal(server.count(LOGIN), 2);
    server.revokeAll();
    server.loginsLeft = 0;
    await assert.rejects(vault.read(configuration(), signal), /did not log in by AppRole \(400: invalid role/);
    server.loginsLeft = 1;
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
  });

  it('that may not be read cost no other reader its login', async () => {
    server.loginsLeft = 1;
    server.denied = '/v1/secret/data/backups/secret';
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    await assert.rejects(vault.read(configuration({ path: 'backups/secret' }), signal), /\(403.*permission denied/s);
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    assert.equal(server.count(LOGIN), 1);
  });

  it('stay readable with a secret id for one login: the token is renewed before it ends, though nobody reads', async () => {
    server.leaseSeconds = 1;
    server.loginsLeft = 1;
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    while (server.count(RENEWAL) < 2) await new Promise((resolve) => setTimeout(resolve, 50));
    server.leaseSeconds = 3600;
    while (server.count(RENEWAL) < 3) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(server.count(LOGIN), 1);
  });

  it('keep the login that replaced a token while its renewal was on its way', async () => {
    Object.assign(server, { leaseSeconds: 1, loginsLeft: 2, isRenewalSilent: true });
    const hasty = configuration({ timeoutSeconds: 2 });
    assert.equal(await vault.read(hasty, signal), 'the passphrase');
    while (server.count(RENEWAL) < 1) await new Promise((resolve) => setTimeout(resolve, 20));
    server.leaseSeconds = 3600;
    server.revokeAll();
    assert.equal(await vault.read(hasty, signal), 'the passphrase');
    await new Promise((resolve) => setTimeout(resolve, 2200));
    assert.equal(await vault.read(hasty, signal), 'the passphrase');
    assert.equal(server.count(LOGIN), 2);
  });

  it('are read after a new login where a token cannot be renewed', async () => {
    server.leaseSeconds = 1;
    server.isRenewable = false;
    assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    while (server.count(LOGIN) < 2) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(await vault.read(configuration(), signal), 'the passphrase');
    }
    assert.equal(server.count(RENEWAL), 0);
  });

  it('that are missing are told with what to look at, and no secret is in any message', async () => {
    const failures = [
      configuration({ path: 'backups/none' }),
      configuration({ mount: 'old' }),
      configuration({ version: 1 }),
      configuration({ field: 'other' }),
      configuration({ field: 'none' }),
      configuration({ login: { kind: 'approle', roleId: 'wrong', secretId: 'env:SECRET_ID' } }),
      configuration({ address: 'http://127.0.0.1:9' }),
    ];
    for (const each of failures)
      await assert.rejects(vault.read(each, signal), (error: Error) => {
        assert.equal(error.name === 'StepFault' || error.name === 'VaultRefusal', true, String(error));
        const told = JSON.stringify([error.message, String(error.cause)]);
        assert.doesNotMatch(told, /the passphrase|hvs\./);
        assert.equal(told.includes(server.secretId), false);
        return true;
      });
    await assert.rejects(vault.read(configuration({ version: 1 }), signal), /`version`.*versioned K\/V/s);
    await assert.rejects(vault.read(configuration({ field: 'none' }), signal), /Its fields: passphrase, other/);
  });
});

describe('Vault over TLS', { skip: skipWithout({ openssl: 'openssl' }) }, () => {
  let folder: string;
  let server: VaultServer;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'vault-tls-'));
    const pair = certificate(folder);
    writeFileSync(path.join(folder, 'empty.pem'), '');
    server = await new VaultServer().start(pair);
    server.secrets.set('secret/shop', { passphrase: 'the passphrase' });
  });

  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is believed only by an authority that is known, and asked nothing else', async () => {
    const vault = new VaultSecrets(async () => server.secretId);
    const login = { kind: 'approle', roleId: server.roleId, secretId: 'env:SECRET_ID' };
    const configuration = (caFile?: string) =>
      vaultSchema.parse({ address: server.url, login, path: 'shop', ...(caFile === undefined ? {} : { caFile }) });
    await assert.rejects(vault.read(configuration(), signal), /self-signed certificate/);
    await assert.rejects(vault.read(configuration(path.join(folder, 'empty.pem')), signal), /holds no certificate/);
    assert.equal(server.asked.length, 0);
    assert.equal(await vault.read(configuration(path.join(folder, 'certificate.pem')), signal), 'the passphrase');
  });
});
