import { setTimeout as sleep } from 'node:timers/promises';
import { formatBytes } from './byte-count.ts';
import { CheckList } from './check-list.ts';
import { messageOf } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { ConnectionCheck } from './ports/connection-check.ts';
import type { Service } from './ports/service.ts';
import type { OpenRepository } from './repository-registry.ts';
import type { Resource } from './resource.ts';

/** What a test of a resource found. `ok`: nothing that a backup needs is known to be missing. */
export interface ResourceTest {
  ok: boolean;
  checks: readonly ConnectionCheck[];
}

/** For all checks together, and then for a service to give back what it found. */
const LIMITS = { milliseconds: 30_000, graceMilliseconds: 2_000 };
const LITTLE_SPACE = 1 << 30;

/**
 * Looks whether a backup of a resource would succeed: what its service needs, and the repository. Changes nothing, takes 32 seconds
 * at most, and never rejects because of what it finds.
 */
export async function testResource(
  context: ManagerContext,
  resource: Resource,
  signal: AbortSignal = new AbortController().signal,
  { milliseconds, graceMilliseconds } = LIMITS,
): Promise<ResourceTest> {
  const service = context.services.get(resource.service);
  const time = AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]);
  const open = context.repositories.all().find(({ id }) => id === resource.repositoryId);
  const [ofService, ofRepository] = await Promise.all([
    inTime('connection', time, graceMilliseconds, () => serviceChecks(service, resource, time)),
    inTime('repository', time, graceMilliseconds, () => repositoryChecks(open, resource.repositoryId, time)),
  ]);
  signal.throwIfAborted();
  const checks = [...ofService, ...ofRepository];
  return { ok: checks.every(({ outcome }) => outcome !== 'failed'), checks };
}

async function serviceChecks(
  service: Service,
  resource: Resource,
  signal: AbortSignal,
): Promise<readonly ConnectionCheck[]> {
  if (service.source === 'posted') {
    const message = `Its ${service.name} content is posted to Holdfast, which fetches nothing by itself.`;
    return [{ name: 'connection', outcome: 'ok', message }];
  }
  if (service.test === undefined) {
    const message = `The service "${service.name}" has no test. Its first backup tells.`;
    return [{ name: 'connection', outcome: 'skipped', message }];
  }
  const configuration = service.parseConfiguration(resource.configuration);
  return service.test({ configuration, resource, signal });
}

async function repositoryChecks(
  open: OpenRepository | undefined,
  repositoryId: string,
  signal: AbortSignal,
): Promise<readonly ConnectionCheck[]> {
  const list = new CheckList(signal);
  if (open === undefined) {
    const advice = 'Configure it again, or set the resource up anew for another one.';
    list.failed('repository', `Its repository "${repositoryId}" is not configured.`, advice);
    return list.checks;
  }
  const { location } = open.repository;
  await list.attempt('repository', async () => {
    await open.ping();
    await open.tryWriting?.();
    list.ok('repository', `${location} can be ${open.tryWriting === undefined ? 'read' : 'written'}.`);
  });
  await list.attempt('repository key', async () => {
    await open.tryKeys?.();
    list.ok('repository key', open.tryKeys === undefined ? 'The repository is open.' : 'A configured key opens it.');
  });
  await list.attempt('repository space', async () => {
    const free = await open.freeBytes?.();
    if (free === undefined) return;
    const message = `${formatBytes(free)} are free at ${location}.`;
    if (free >= LITTLE_SPACE) list.ok('repository space', message);
    else list.warning('repository space', message, 'Free some, or forget backups that nobody needs and prune.');
  });
  return list.checks;
}

/** What does not listen to the signal must not keep the caller waiting for ever. */
async function inTime(
  name: string,
  signal: AbortSignal,
  graceMilliseconds: number,
  work: () => Promise<readonly ConnectionCheck[]>,
): Promise<readonly ConnectionCheck[]> {
  const done = new AbortController();
  const late = async (): Promise<readonly ConnectionCheck[]> => {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true, signal: done.signal });
      done.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await sleep(graceMilliseconds, undefined, { signal: done.signal }).catch(() => undefined);
    return [{ name, outcome: 'failed', message: 'There was no answer in time.' }];
  };
  try {
    return await Promise.race([work(), late()]);
  } catch (error) {
    return [{ name, outcome: 'failed', message: messageOf(error) }];
  } finally {
    done.abort();
  }
}
