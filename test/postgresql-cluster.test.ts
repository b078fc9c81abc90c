import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { completed, failed, NOTHING, PostgresqlRig, sameText } from './postgresql-rig.ts';
import { SAMPLE, SAMPLE_ROLES } from './postgresql-sample.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';

const ODD = `odd "name" = 'x', /ü`;

describe('a whole PostgreSQL cluster', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PostgresqlRig;
  let second: PostgresqlServer;
  const identifier = `"${ODD.replaceAll('"', '""')}"`;

  before(async () => {
    rig = await PostgresqlRig.create();
    second = await PostgresqlServer.start();
    const { server } = rig;
    await server.sql(
      'postgres',
      `${SAMPLE_ROLES} CREATE DATABASE shop OWNER shop_owner; CREATE DATABASE ${identifier};
      CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    await server.sql('shop', SAMPLE);
    await server.sql(ODD, 'CREATE TABLE t AS SELECT 7 AS seven');
    await server.sql(
      'latin',
      `CREATE TABLE words (word text); INSERT INTO words VALUES ('caf' || chr(233)), (chr(255))`,
    );
  });
  after(async () => {
    await second.remove();
    await rig.remove();
  });

  test('comes back in another one, with its roles, their passwords and databases of any encoding and name', async () => {
    const backup = await rig.backUp({ databases: 'all', globals: true, jobs: 3 });
    const operation = completed(await rig.restore(backup, { globals: true, connection: second.connection() }));
    const made = (operation.result!.databases as { target: string; action: string }[]).map(({ target, action }) => [
      target,
      action,
    ]);
    assert.deepEqual(
      new Map(made as [string, string][]),
      new Map([
        ['latin', 'create'],
        [ODD, 'create'],
        ['postgres', 'fill-empty'],
        ['shop', 'create'],
      ]),
    );
    for (const name of ['shop', 'latin', ODD]) sameText(await second.dump(name), await rig.server.dump(name));
    assert.match(await second.dump('latin'), /caf\u00e9\n\u00ff/);
    const roles = `SELECT rolname, rolcanlogin, rolpassword FROM pg_authid WHERE rolname <> 'postgres' ORDER BY 1`;
    assert.equal(await second.sql('postgres', roles), await rig.server.sql('postgres', roles));
    const members = `SELECT roleid::regrole, member::regrole FROM pg_auth_members WHERE roleid >= 16384`;
    assert.equal(await second.sql('postgres', members), 'shop_reader|shop_owner');
    const encoding = `SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'latin'`;
    assert.equal(await second.sql('postgres', encoding), 'LATIN1');
    assert.deepEqual(await rig.leftovers(), NOTHING);
  });

  test('keeps the roles that the target has, and their passwords', async () => {
    const backup = await rig.backUp({ databases: ['shop'], globals: true });
    await second.sql(
      'postgres',
      `DO $$ BEGIN CREATE ROLE shop_reader; EXCEPTION WHEN duplicate_object THEN END $$;
      ALTER ROLE shop_reader CONNECTION LIMIT 3`,
    );
    const options = { globals: true, connection: second.connection(), targetDatabase: 'kept' };
    completed(await rig.restore(backup, options));
    const limit = `SELECT rolconnlimit FROM pg_roles WHERE rolname = 'shop_reader'`;
    assert.equal(await second.sql('postgres', limit), '3');
  });

  test('is restored without owners and privileges where the roles are not there', async () => {
    const backup = await rig.backUp({ databases: ['shop'] });
    const fresh = await PostgresqlServer.start();
    try {
      const connection = fresh.connection();
      failed(await rig.restore(backup, { connection }), 'postgresql-role-missing', /globals.*owners/);
      assert.equal(await fresh.sql('postgres', `SELECT count(*) FROM pg_database WHERE NOT datistemplate`), '1');
      completed(await rig.restore(backup, { connection, owners: false, privileges: false, schemas: ['public'] }));
    } finally {
      await fresh.remove();
    }
  });

  test('is backed up in part, by schemas and tables that are included and excluded', async () => {
    const backup = await rig.backUp({
      databases: ['shop'],
      schemas: { exclude: ['Odd*'] },
      tables: { exclude: ['sales.secr*'], excludeData: ['sales.orders_*'] },
    });
    const [shop] = JSON.parse((await rig.file(backup, 'contents.json')).toString()).databases;
    const rows = shop.tables.map(
      ({ schema, name, rows }: Record<string, string>) => `${schema}.${name} ${rows ?? 'none'}`,
    );
    assert.deepEqual(rows, [
      'public.child 1',
      'public.parent 1',
      'sales.customers 500',
      'sales.orders 0',
      'sales.orders_2025 none',
      'sales.orders_2026 none',
      'sales.orders_rest none',
    ]);
    completed(await rig.restore(backup, { targetDatabase: 'partial' }));
    assert.equal(await rig.server.sql('partial', 'SELECT count(*) FROM sales.orders'), '0');
    const one = await rig.backUp({ databases: ['shop'], tables: { include: ['"Odd Schema".*'] } });
    assert.equal((await rig.file(one, 'contents.json')).toString().match(/"rows"/g)?.length, 1);
    const missing = await rig.ended(await rig.start({ databases: ['shop'], schemas: { include: ['nope'] } }));
    failed(missing, 'postgresql-tool-failed', /no matching schemas.*nope/);
  });

  test('is reached over TLS that is verified, and not where the certificate is another one’s', async () => {
    const folder = rig.folder;
    const certificate = (name: string) => {
      const [key, file] = [path.join(folder, `${name}.key`), path.join(folder, `${name}.crt`)];
      const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
      const names = ['-addext', 'subjectAltName=DNS:localhost'];
      execFileSync('openssl', [...request, ...names, '-keyout', key, '-out', file], { stdio: 'ignore' });
      return { key, file };
    };
    const [own, other] = [certificate('own'), certificate('other')];
    const setting = (name: string, text: string) => `COPY (SELECT ${text}) TO '${path.join(second.folder, name)}'`;
    // Written by the server itself, so that it owns its key.
    for (const [name, file] of [
      ['server.key', own.key],
      ['server.crt', own.file],
    ] as const) {
      const lines = execFileSync('cat', [file]).toString().trim().split('\n');
      await second.sql('postgres', setting(name, `unnest(ARRAY['${lines.join(`','`)}'])`));
    }
    chmodSync(path.join(second.folder, 'server.key'), 0o600);
    for (const [name, file] of [
      ['ssl_key_file', 'server.key'],
      ['ssl_cert_file', 'server.crt'],
    ])
      await second.sql('postgres', `ALTER SYSTEM SET ${name} = '${path.join(second.folder, file!)}'`);
    await second.sql('postgres', 'ALTER SYSTEM SET ssl = on');
    await second.sql('postgres', 'SELECT pg_reload_conf()');
    writeFileSync(path.join(folder, 'password'), second.password);
    const connection = (ca: string) => ({
      host: 'localhost',
      port: second.port,
      user: 'postgres',
      password: `file:${path.join(folder, 'password')}`,
      tls: { mode: 'verify-full', ca },
    });
    await rig.backUp({ databases: ['postgres'], connection: connection(own.file) });
    const refused = await rig.ended(await rig.start({ databases: ['postgres'], connection: connection(other.file) }));
    failed(refused, 'postgresql-unreachable', /certificate/);
  });
});
