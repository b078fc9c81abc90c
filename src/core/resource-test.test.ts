import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CheckList } from './check-list.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Service } from './ports/service.ts';
import { type OpenRepository, RepositoryRegistry } from './repository-registry.ts';
import type { Resource } from './resource.ts';
import { testResource } from './resource-test.ts';
import { ServiceRegistry } from './service-registry.ts';

const resource = { id: 'shop', service: 'scripted', repositoryId: 'default', configuration: {} } as unknown as Resource;
const never = new Promise<never>(() => undefined);
const SOON = { milliseconds: 50, graceMilliseconds: 50 };

function contextOf(service: Partial<Service>, repository: Partial<OpenRepository> = {}): ManagerContext {
  const scripted = { name: 'scripted', source: 'fetched', parseConfiguration: () => ({}), ...service } as Service;
  const open = {
    id: 'default',
    repository: { location: '/srv/repository' },
    ping: async () => undefined,
    ...repository,
  } as OpenRepository;
  return {
    services: new ServiceRegistry([scripted]),
    repositories: new RepositoryRegistry([open]),
  } as unknown as ManagerContext;
}

const outcomes = ({ checks }: { checks: readonly { name: string; outcome: string }[] }) =>
  checks.map(({ name, outcome }) => `${name} ${outcome}`);

test('a warning leaves a test well, a failed check does not', async () => {
  const warned = await testResource(
    contextOf({ test: async () => [{ name: 'a', outcome: 'warning', message: 'hm' }] }),
    resource,
  );
  assert.equal(warned.ok, true);
  const failed = await testResource(
    contextOf({ test: async () => [{ name: 'a', outcome: 'failed', message: 'no' }] }),
    resource,
  );
  assert.equal(failed.ok, false);
});

test('a service that throws, and one that never answers, has failed, and the repository is told of all the same', async () => {
  const thrown = await testResource(
    contextOf({
      test: async () => {
        throw new HoldfastError('invalid', 'secret-missing', 'The variable X is not set.');
      },
    }),
    resource,
  );
  assert.deepEqual(thrown.checks[0], { name: 'connection', outcome: 'failed', message: 'The variable X is not set.' });
  const late = await testResource(contextOf({ test: () => never }), resource, undefined, SOON);
  assert.deepEqual(outcomes(late), ['connection failed', 'repository ok', 'repository key ok']);
});

test('what was found when the time was over is kept, and the rest is said to be skipped', async () => {
  const found = await testResource(
    contextOf({
      test: async ({ signal }) => {
        const list = new CheckList(signal);
        await list.attempt('quick', async () => list.ok('quick', 'done'));
        await list.attempt(
          'slow',
          () => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        );
        await list.attempt('last', async () => list.ok('last', 'done'));
        return list.checks;
      },
    }),
    resource,
    undefined,
    { ...SOON, graceMilliseconds: 60_000 },
  );
  assert.deepEqual(outcomes(found).slice(0, 3), ['quick ok', 'slow skipped', 'last skipped']);
});

test('a repository that takes nothing, whose key is gone or that is nearly full is told of', async () => {
  const fails = async () => {
    throw new HoldfastError('wrong-key', 'key-file-missing', 'The key file is gone.');
  };
  const found = await testResource(
    contextOf({}, { tryWriting: fails, tryKeys: fails, freeBytes: async () => 1000 }),
    resource,
  );
  assert.deepEqual(outcomes(found), [
    'connection skipped',
    'repository failed',
    'repository key failed',
    'repository space warning',
  ]);
  const absent = await testResource(contextOf({}), { ...resource, repositoryId: 'other' });
  assert.deepEqual(outcomes(absent), ['connection skipped', 'repository failed']);
});
