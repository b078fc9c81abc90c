import assert from 'node:assert/strict';
import test from 'node:test';
import { parseSqliteConfiguration } from './configuration.ts';

test('a path is enough, and what is left out has a default', () => {
  assert.deepEqual(parseSqliteConfiguration({ path: '/srv/shop.db' }), {
    path: '/srv/shop.db',
    checks: 'quick',
    busyTimeoutMilliseconds: 10_000,
    pagesPerStep: 2048,
    log: { enabled: false, intervalSeconds: 1, keepSeconds: 3600, keepMinutes: 1440 },
  });
});

test('a configuration that is not valid is refused with the name of the field', () => {
  for (const [configuration, field] of [
    [{}, 'path'],
    [{ path: 'shop.db' }, 'path'],
    [{ path: '/a', checks: 'some' }, 'checks'],
    [{ path: '/a', busyTimeoutMilliseconds: -1 }, 'busyTimeoutMilliseconds'],
    [{ path: '/a', pagesPerStep: 0 }, 'pagesPerStep'],
    [{ path: '/a', temporaryFolder: 'tmp' }, 'temporaryFolder'],
    [{ path: '/a', log: { intervalSeconds: 0.1 } }, 'log.intervalSeconds'],
    [{ path: '/a', log: { keepSeconds: 1 } }, 'log.keepSeconds'],
  ] as const)
    assert.throws(() => parseSqliteConfiguration(configuration), {
      code: 'configuration-invalid',
      message: new RegExp(`^\`${field}\``),
    });
  assert.throws(() => parseSqliteConfiguration({ path: '/a', speed: 1 }), { message: /speed/ });
});
