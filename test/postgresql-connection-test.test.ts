import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ResourceTest } from '../src/core/resource-test.ts';
import { Connection } from '../src/services/postgresql/connection.ts';
import { connectionSchema } from '../src/services/postgresql/connection-schema.ts';
import { replicationReadiness } from '../src/services/postgresql/replication-readiness.ts';
import { Session } from '../src/services/postgresql/session.ts';
import { PostgresqlRig } from './postgresql-rig.ts';
import { SAMPLE, SAMPLE_ROLES } from './postgresql-sample.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';

const DOCUMENT = new URL('../docs/postgresql.md', import.meta.url);

/** The statements that docs/postgresql.md gives for a role that may read everything and nothing more. */
function documentedStatements(): string[] {
  const [, block = ''] = /```sql\n(CREATE ROLE holdfast[\s\S]*?)```/.exec(readFileSync(DOCUMENT, 'utf8')) ?? [];
  return block
    .split('\n')
    .map((line) => line.replace(/--.*$/, '').trim())
    .filter((line) => line !== '');
}

describe('the test of a PostgreSQL resource', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PostgresqlRig;

  before(async () => {
    rig = await PostgresqlRig.create();
    await rig.server.sql('postgres', `${SAMPLE_ROLES} CREATE DATABASE shop OWNER shop_owner`);
    await rig.server.sql('shop', SAMPLE);
  });
  after(() => rig.remove());

  const tested = (configuration: Record<string, unknown>): Promise<ResourceTest> =>
    rig.managed.application.resources.test({
      service: 'postgresql',
      configuration: { connection: rig.server.connection(), databases: ['shop'], ...configuration },
    });

  function find({ checks }: ResourceTest, name: string, outcome: string, message: RegExp): void {
    const found = checks.filter((check) => check.name === name && check.outcome === outcome);
    const texts = found.map((check) => `${check.message} ${check.advice ?? ''}`);
    assert.ok(
      texts.some((text) => message.test(text)),
      `${name} ${outcome} ${message}: ${JSON.stringify(checks, null, 1)}`,
    );
    assert.doesNotMatch(JSON.stringify(checks), new RegExp(rig.server.password));
  }

  const overTcp = (more: Record<string, unknown> = {}) => {
    const { socket: _, ...connection } = rig.server.connection();
    return { ...connection, host: '127.0.0.1', ...more };
  };

  test('says what it found where all is well', async () => {
    const result = await tested({});
    assert.equal(result.ok, true, JSON.stringify(result));
    find(result, 'server', 'ok', /answers/);
    find(result, 'login', 'ok', /lets "postgres" in, without TLS/);
    find(result, 'version', 'ok', /PostgreSQL \d+/);
    find(result, 'client tools', 'ok', /pg_dump \d+/);
    find(result, 'databases', 'ok', /"shop"/);
    find(result, 'database shop', 'ok', /\d+ tables, all of which can be read/);
    find(result, 'restore right', 'ok', /may create databases/);
    find(result, 'temporary space', 'ok', /free/);
    find(result, 'physical: wal_level', 'ok', /replica/);
    find(result, 'physical: replication right', 'ok', /may replicate/);
  });

  test('names what keeps it from the server, and how to get there', async () => {
    const nobody = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(nobody, 'listening');
    const { port } = nobody.address() as AddressInfo;
    const silent = await tested({ connection: overTcp({ port, connectTimeoutSeconds: 1 }) });
    assert.equal(silent.ok, false);
    find(silent, 'login', 'failed', /timeout/);
    nobody.close();
    await once(nobody, 'close');
    find(await tested({ connection: overTcp({ port }) }), 'server', 'failed', /ECONNREFUSED.*listen_addresses/);
    find(
      await tested({ connection: overTcp({ host: 'no-such-host.invalid' }) }),
      'server',
      'failed',
      /has no address.*host/,
    );
    const socket = { ...rig.server.connection(), socket: '/nonexistent' };
    find(
      await tested({ connection: socket }),
      'server',
      'failed',
      /There is no server at \/nonexistent.*unix_socket_directories/,
    );
  });

  test('names what is wrong with the password, without telling it', async () => {
    const absent = { ...rig.server.connection(), password: 'env:SURELY_ABSENT' };
    find(await tested({ connection: absent }), 'secrets', 'failed', /SURELY_ABSENT.*is not set.*start again/);
    process.env.WRONG_PASSWORD = 'not-the-right-one';
    const wrong = await tested({ connection: { ...rig.server.connection(), password: 'env:WRONG_PASSWORD' } });
    delete process.env.WRONG_PASSWORD;
    find(wrong, 'login', 'failed', /password authentication failed.*ALTER ROLE/);
    assert.doesNotMatch(JSON.stringify(wrong), /not-the-right-one/);
    const { password: _, ...none } = rig.server.connection();
    find(await tested({ connection: none }), 'login', 'failed', /name one by `password`/);
    const nobody = { ...rig.server.connection(), user: 'nobody' };
    find(await tested({ connection: nobody }), 'login', 'failed', /nobody/);
  });

  test('names databases that are not there, and looks into the others', async () => {
    const result = await tested({ databases: ['absent', 'shop'] });
    assert.equal(result.ok, false);
    find(result, 'databases', 'failed', /"absent" does not exist/);
    find(result, 'database shop', 'ok', /can be read/);
  });

  test('does not wait long for a table that somebody has locked, and says so', async () => {
    const session = await Session.open(
      new Connection(connectionSchema.parse(rig.server.connection()), rig.server.password),
      'shop',
    );
    try {
      await session.run('BEGIN; LOCK TABLE public.parent IN ACCESS EXCLUSIVE MODE');
      const result = await tested({});
      assert.equal(result.ok, true);
      find(result, 'database shop', 'warning', /locked by somebody.*lockTimeoutSeconds/);
    } finally {
      await session.close();
    }
  });

  test('names tools that are missing or older than the server, with the package to install', async () => {
    const folder = path.join(rig.folder, 'old-tools');
    find(
      await tested({ binaries: folder }),
      'client tools',
      'failed',
      /not found in .*apt-get install postgresql-client-\d+/,
    );
    await mkdir(folder);
    for (const tool of ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql']) {
      await writeFile(path.join(folder, tool), '#!/bin/sh\necho "pg_dump (PostgreSQL) 9.6.1"\n');
      await chmod(path.join(folder, tool), 0o755);
    }
    find(
      await tested({ binaries: folder }),
      'client tools',
      'failed',
      /newest found are 9\.6\.1.*apt-get install postgresql-client-\d+/,
    );
  });

  test('the documented statements suffice for a whole backup, and each that is left out is named', async () => {
    const statements = documentedStatements();
    assert.equal(statements.length, 4);
    const { server } = rig;
    const run = (statement: string) => server.sql('postgres', statement.replace("'…'", `'${server.password}'`));
    await server.sql('postgres', 'REVOKE CONNECT ON DATABASE shop FROM PUBLIC');
    const connection = server.connection('holdfast');
    const [createRole = '', readAll = '', bypass = '', connect = ''] = statements;

    await run(createRole);
    find(
      await tested({ connection }),
      'databases',
      'failed',
      /may not connect to "shop".*GRANT CONNECT ON DATABASE "shop" TO "holdfast"/,
    );
    await run(connect);
    const unread = await tested({ connection });
    find(
      unread,
      'database shop',
      'failed',
      /sales\.customers \(no USAGE on its schema\).*GRANT pg_read_all_data TO "holdfast"/,
    );
    find(unread, 'database shop', 'failed', /sales\.numbers \(no USAGE/);
    find(unread, 'database shop', 'failed', /public\.parent \(no SELECT\)/);
    await run(readAll);
    const hidden = await tested({ connection });
    find(hidden, 'database shop', 'failed', /Row-level security.*sales\.secrets.*ALTER ROLE "holdfast" BYPASSRLS/);
    await run(bypass);
    const objects = await tested({ connection });
    assert.deepEqual(
      objects.checks.filter(({ outcome }) => outcome === 'failed').map(({ message }) => message),
      ['The role "holdfast" cannot read 3 of its large objects; pg_read_all_data does not reach them.'],
    );
    await assert.rejects(rig.backUp({ connection, databases: ['shop'] }), /postgresql-unreadable/);
    const [advice] = objects.checks.flatMap(({ message, advice }) =>
      /large objects/.test(message) ? advice : [],
    ) as string[];
    await server.sql('shop', /GRANT .*;/.exec(advice ?? '')?.[0] ?? '');

    const well = await tested({ connection });
    assert.equal(well.ok, true, JSON.stringify(well));
    find(well, 'restore right', 'skipped', /A backup needs no such right.*CREATEDB/);
    find(
      well,
      'physical: replication right',
      'skipped',
      /may not replicate.*Logical backups do not need it.*REPLICATION/,
    );
    find(well, 'physical: pg_hba.conf', 'skipped', /may not read pg_hba\.conf/);
    const backup = await rig.backUp({ connection, databases: ['shop'] });
    assert.ok(backup.size > 0);
    // pg_read_all_data reaches the table of the password hashes too.
    assert.equal((await tested({ connection, globals: true })).ok, true);
    const globals = await rig.backUp({ connection, databases: ['shop'], globals: true });
    assert.match((await rig.file(globals, 'globals.sql')).toString(), /CREATE ROLE shop_owner[\s\S]*PASSWORD 'SCRAM/);
    await server.sql('postgres', 'REVOKE pg_read_all_data FROM holdfast');
    find(await tested({ connection, globals: true }), 'globals', 'failed', /passwords of roles.*rolePasswords: false/);
    const without = await tested({ connection, globals: true, rolePasswords: false });
    find(without, 'globals', 'ok', /can be read/);
    await server.sql('postgres', 'GRANT pg_read_all_data TO holdfast');
    const chosen = { connection: { ...connection }, schemas: { include: ['public'] } };
    assert.equal((await tested(chosen)).ok, true);
  });

  test('tells what is wrong with TLS', async () => {
    find(
      await tested({ connection: overTcp({ tls: { mode: 'require' } }) }),
      'login',
      'failed',
      /does not support SSL.*ssl = on/,
    );
    const certificate = (name: string) => {
      const [key, file] = [path.join(rig.folder, `${name}.key`), path.join(rig.folder, `${name}.crt`)];
      const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
      const names = ['-addext', 'subjectAltName=DNS:localhost'];
      execFileSync('openssl', [...request, ...names, '-keyout', key, '-out', file], { stdio: 'ignore' });
      return { key, file };
    };
    const [own, other] = [certificate('own'), certificate('other')];
    for (const [name, file] of [
      ['server.key', own.key],
      ['server.crt', own.file],
    ] as const) {
      // Written by the server itself, so that it owns its key.
      const lines = readFileSync(file, 'utf8').trim().split('\n').join(`','`);
      const place = path.join(rig.server.folder, name);
      await rig.server.sql('postgres', `COPY (SELECT unnest(ARRAY['${lines}'])) TO '${place}'`);
    }
    chmodSync(path.join(rig.server.folder, 'server.key'), 0o600);
    for (const [name, value] of [
      ['ssl_key_file', path.join(rig.server.folder, 'server.key')],
      ['ssl_cert_file', path.join(rig.server.folder, 'server.crt')],
      ['ssl', 'on'],
    ])
      await rig.server.sql('postgres', `ALTER SYSTEM SET ${name} = '${value}'`);
    await rig.server.sql('postgres', 'SELECT pg_reload_conf()');
    const over = (host: string, ca: string) =>
      tested({ connection: overTcp({ host, tls: { mode: 'verify-full', ca } }) });
    find(await over('localhost', own.file), 'login', 'ok', /with TLS \(verify-full\)/);
    find(await over('localhost', other.file), 'login', 'failed', /certificate.*`tls\.ca` is not the authority/);
    find(await over('127.0.0.1', own.file), 'login', 'failed', /certificate is for another name/);
    find(await over('localhost', '/nonexistent.pem'), 'secrets', 'failed', /TLS file \/nonexistent\.pem/);
  });

  test('names what a server lacks for physical backups', async () => {
    const bare = await PostgresqlServer.start([
      'wal_level = minimal',
      'max_wal_senders = 0',
      'max_replication_slots = 0',
    ]);
    try {
      await bare.sql('postgres', `CREATE ROLE plain LOGIN PASSWORD '${bare.password}'`);
      const open = async (user: string) =>
        Session.open(new Connection(connectionSchema.parse(bare.connection(user)), bare.password), 'postgres');
      const outcomes = async (user: string) => {
        const session = await open(user);
        try {
          const checks = await replicationReadiness(session, new AbortController().signal);
          return Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]));
        } finally {
          await session.close();
        }
      };
      const plain = await outcomes('plain');
      assert.deepEqual(
        { ...plain, summarize_wal: undefined },
        {
          'replication right': 'failed',
          wal_level: 'failed',
          max_wal_senders: 'failed',
          max_replication_slots: 'failed',
          summarize_wal: undefined,
          'pg_hba.conf': 'skipped',
          'data checksums': 'warning',
        },
      );
      assert.equal((await outcomes('postgres'))['pg_hba.conf'], 'ok');
    } finally {
      await bare.remove();
    }
  });

  test('leaves nothing behind', async () => {
    assert.deepEqual(await rig.leftovers(), { processes: [], files: [], databases: [] });
    const sessions = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast'`;
    assert.equal(await rig.server.sql('postgres', sessions), '0');
  });
});
