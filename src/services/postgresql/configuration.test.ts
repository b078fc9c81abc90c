import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePostgresqlConfiguration } from './configuration.ts';
import { Connection } from './connection.ts';

const LEAST = { connection: { host: 'db', user: 'holdfast' }, databases: ['shop'] };

test('a configuration gets its defaults', () => {
  const { globals, jobs, schemas, tables, connection } = parsePostgresqlConfiguration(LEAST);
  assert.deepEqual({ globals, jobs, schemas }, { globals: false, jobs: 2, schemas: { include: [], exclude: [] } });
  assert.deepEqual(tables, { include: [], exclude: [], excludeData: [] });
  assert.equal(connection.connectTimeoutSeconds, 30);
});

test('a configuration that is not valid is refused with the name of the field', () => {
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ databases: [] }, /`databases`/],
    [{ jobs: 0 }, /`jobs`/],
    [{ jbos: 2 }, /jbos/],
    [{ connection: { host: 'db' } }, /`connection\.user`/],
    [{ connection: { host: 'db', socket: '/run', user: 'me' } }, /`connection\.host`.*exactly one/],
    [{ connection: { host: 'db', user: 'me', password: 'secret-itself' } }, /`connection\.password`.*reference/],
    [{ connection: { url: 'postgres://me:secret-itself@db/shop' } }, /`connection\.url`/],
    [{ connection: { url: 'postgres://me@db/shop?password=secret-itself' } }, /`connection\.url`/],
    [{ connection: { host: 'db', user: 'me', tls: { mode: 'verify-full' } } }, /`connection\.tls\.ca`/],
    [{ connection: { host: 'db', user: 'me', tls: { certificate: '/c' } } }, /`connection\.tls\.key`/],
    [{ tables: { include: ['orders'] } }, /`tables\.include\.0`.*schema\.table/],
    [{ tables: { include: ['a.b'] }, schemas: { include: ['a'] } }, /`tables\.include`.*`schemas`/],
    [{ binaries: 'bin' }, /`binaries`/],
  ];
  for (const [change, message] of wrong)
    assert.throws(
      () => parsePostgresqlConfiguration({ ...LEAST, ...change }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'configuration-invalid');
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret-itself/);
        return true;
      },
    );
});

test('a connection is encrypted to other machines, verified where there is a CA, and plain within this one', () => {
  const mode = (connection: Record<string, unknown>) =>
    new Connection(parsePostgresqlConfiguration({ ...LEAST, connection: { user: 'me', ...connection } }).connection, '')
      .tlsMode;
  assert.equal(mode({ host: 'db' }), 'require');
  assert.equal(mode({ host: 'db', tls: { ca: '/ca' } }), 'verify-full');
  assert.equal(mode({ host: '127.0.0.1' }), 'disable');
  assert.equal(mode({ socket: '/run/postgresql' }), 'disable');
  assert.equal(mode({ host: 'localhost', tls: { mode: 'require' } }), 'require');
});

test('the tools get the password by their environment, and nothing that this process was given for others', () => {
  process.env.HOLDFAST_TEST_OTHER = 'for nobody else';
  const url = 'postgresql://me%40home@[::1]:5433/main';
  const { connection } = parsePostgresqlConfiguration({ ...LEAST, connection: { url } });
  const opened = new Connection(connection, 'secret');
  const environment = opened.toolEnvironment('shop');
  assert.equal(environment.HOLDFAST_TEST_OTHER, undefined);
  const { PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD } = environment;
  assert.deepEqual([PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD], ['::1', '5433', 'me@home', 'shop', 'secret']);
  assert.equal(opened.database, 'main');
  assert.equal(opened.withoutSecret('it is secret!'), 'it is ***!');
});
