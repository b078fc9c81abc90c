import { stat, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import type { Application, RepositoryOverview } from '../../core/application.ts';
import type { Configuration } from '../../core/configuration.ts';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import type { CheckFinding } from '../../core/ports/repository-check.ts';
import type { CommandSession } from './command-session.ts';
import type { Finding } from './finding.ts';
import { count, formatBytes } from './formatting.ts';
import { hookFindings } from './hook-findings.ts';
import { notificationFindings } from './notification-findings.ts';
import { resourceFindings } from './resource-findings.ts';
import { systemFault } from './system-fault.ts';

const OLDEST_NODE = 24;
const EARLIEST_TIME = Date.UTC(2025, 0, 1);
const LITTLE_SPACE = 1 << 30;

/** Looks at everything a working installation needs, without changing anything. */
export async function* findings(session: CommandSession): AsyncIterable<Finding> {
  yield nodeVersion();
  yield clock();
  let configuration: Configuration;
  try {
    configuration = await session.configuration({ logLevel: 'silent' });
  } catch (error) {
    yield { check: 'configuration', state: 'fail', message: messageOf(error) };
    return;
  }
  yield { check: 'configuration', state: 'ok', message: `data folder ${configuration.dataFolder}` };
  yield await dataFolder(configuration);
  yield await freeSpace(configuration);
  yield await port(session, configuration);
  yield* keyFiles(configuration);
  yield* hookFindings(configuration);
  yield* notificationFindings(session, configuration);
  yield* repositories(session, configuration);
}

function nodeVersion(): Finding {
  const [major] = process.versions.node.split('.');
  const message = `Node.js ${process.versions.node}`;
  if (Number(major) >= OLDEST_NODE) return { check: 'node', state: 'ok', message };
  return { check: 'node', state: 'fail', message, advice: `Use Node.js ${OLDEST_NODE} or later, or run "npm ci".` };
}

function clock(): Finding {
  const now = new Date();
  const message = `it is ${now.toISOString()}`;
  if (now.getTime() > EARLIEST_TIME) return { check: 'clock', state: 'ok', message };
  const advice = 'Set the clock: retention and schedules go by it (backups themselves are safe without).';
  return { check: 'clock', state: 'fail', message, advice };
}

async function dataFolder({ dataFolder: path }: Configuration): Promise<Finding> {
  const check = 'data folder';
  try {
    const { mode, uid } = await stat(path);
    if (mode & 0o077) {
      const message = `${path} can be read by others (mode ${(mode & 0o777).toString(8)})`;
      return { check, state: 'warn', message, advice: `Run "chmod 700 ${path}".` };
    }
    const self = process.getuid?.();
    if (self !== undefined && self !== 0 && self !== uid) {
      return { check, state: 'fail', message: `${path} belongs to user ${uid}`, advice: 'Run Holdfast as that user.' };
    }
    return { check, state: 'ok', message: `${path} belongs to this user alone` };
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') return { check, state: 'fail', message: messageOf(error) };
    const advice =
      '"holdfast serve", or the first "holdfast resource add" or "holdfast backup", makes it; or name the right one with --data.';
    return { check, state: 'warn', message: `${path} does not exist yet`, advice };
  }
}

async function freeSpace({ dataFolder: path }: Configuration): Promise<Finding> {
  const { bavail, bsize, blocks } = await statfs(await nearestExisting(path));
  const free = bavail * bsize;
  const message = `${formatBytes(free)} of ${formatBytes(blocks * bsize)} free for ${path}`;
  if (free > LITTLE_SPACE && bavail / blocks > 0.05) return { check: 'free space', state: 'ok', message };
  return { check: 'free space', state: 'warn', message, advice: 'Free some, or forget backups that nobody needs.' };
}

async function nearestExisting(path: string): Promise<string> {
  const absolute = resolve(path);
  const exists = await stat(absolute).then(
    () => true,
    () => false,
  );
  return exists || absolute === dirname(absolute) ? absolute : nearestExisting(dirname(absolute));
}

async function port(session: CommandSession, configuration: Configuration): Promise<Finding> {
  const check = 'service';
  const running = await session.composition.runningService(configuration.dataFolder);
  if (running !== undefined) {
    const where = running.url === undefined ? '' : ` at ${running.url}`;
    return { check, state: 'ok', message: `runs as process ${running.pid}${where}` };
  }
  const { host, port: number } = configuration.server;
  const problem = await bindProblem(host, number);
  if (problem === undefined) return { check, state: 'ok', message: `does not run; ${host}:${number} is free` };
  const advice = `Set another port (PORT=…, --port), or find who uses it with "ss -ltnp 'sport = :${number}'".`;
  return { check, state: 'warn', message: `does not run, and ${host}:${number} is taken (${problem})`, advice };
}

function bindProblem(host: string, port: number): Promise<string | undefined> {
  return new Promise((answer) => {
    const server = createServer();
    server.once('error', (error) => answer(systemErrorCode(error) ?? error.message));
    server.listen(port, host, () => server.close(() => answer(undefined)));
  });
}

async function* keyFiles(configuration: Configuration): AsyncIterable<Finding> {
  for (const repository of configuration.repositories) {
    for (const key of repository.keys) {
      if (key.kind === 'keyfile') yield await keyFile(key.path, repository.keyIsDefault);
    }
  }
}

async function keyFile(path: string, isDefault: boolean): Promise<Finding> {
  const check = 'key file';
  try {
    const { mode } = await stat(path);
    if (mode & 0o077) {
      const message = `${path} can be read by others (mode ${(mode & 0o777).toString(8)})`;
      return { check, state: 'fail', message, advice: `Run "chmod 600 ${path}", then "holdfast key rotate".` };
    }
    if (!isDefault) return { check, state: 'ok', message: `${path} is there, for its owner only` };
    const advice = 'Keep a copy on another machine: without it nothing restores. This cannot be checked from here.';
    return { check, state: 'warn', message: `${path} was made by Holdfast, for its owner only`, advice };
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') return { check, state: 'fail', message: reasonOf(error) };
    const advice = 'Bring it back from its copy, or configure a key that you have. A new installation makes one.';
    return { check, state: 'warn', message: `${path} does not exist`, advice };
  }
}

async function* repositories(session: CommandSession, configuration: Configuration): AsyncIterable<Finding> {
  const check = 'repository';
  let application: Application;
  try {
    for (const { id } of configuration.repositories) {
      const { exists, location } = await session.composition.inspectRepository(configuration, id, { tryWriting: true });
      if (exists) continue;
      const advice = 'Mount it, correct its place in the configuration, or let "holdfast serve" make it.';
      yield { check, state: 'warn', message: `nothing at ${location} yet`, advice };
      return;
    }
    application = await session.application(configuration);
  } catch (error) {
    yield { check, state: 'fail', message: reasonOf(error) };
    return;
  }
  for (const overview of await application.repositories.list()) {
    const size = `${count(overview.snapshots, 'backup')}, ${formatBytes(overview.packBytes)}`;
    yield { check, state: 'ok', message: `${overview.location} opens: ${size}, ${overview.cipher}` };
    yield* contents(session, application, overview);
  }
  yield await auditLog(application);
  yield* resourceFindings(application, session.signal);
}

function reasonOf(error: unknown): string {
  const code = error instanceof HoldfastError ? error.code : 'internal';
  return systemFault(error)?.message ?? `${messageOf(error)} [${code}]`;
}

/** Level 1 finds packs that the index names and the storage lacks. */
async function* contents(
  session: CommandSession,
  application: Application,
  overview: RepositoryOverview,
): AsyncIterable<Finding> {
  const { findings } = await application.repositories.verify(overview.id, { level: 1, signal: session.signal });
  const isOfSlot = ({ object }: CheckFinding): boolean => object.startsWith('keys/');
  yield* keySlots(findings.filter(isOfSlot));
  const others = findings.filter((finding) => !isOfSlot(finding));
  yield await agreement(application, overview, others);
}

/** A slot that nobody opens is missed on the day when it is the last one. */
function* keySlots(found: readonly CheckFinding[]): Iterable<Finding> {
  const check = 'key slots';
  if (found.length === 0) yield { check, state: 'ok', message: 'none is damaged' };
  for (const { severity, message } of found) yield { check, state: severity === 'damage' ? 'fail' : 'warn', message };
}

async function agreement(
  application: Application,
  { id, packs }: RepositoryOverview,
  found: readonly CheckFinding[],
): Promise<Finding> {
  const check = 'index';
  const damage = found.filter(({ severity }) => severity === 'damage');
  if (damage.length > 0) {
    const advice = 'Run "holdfast verify --level 4" to see how far it goes.';
    return { check, state: 'fail', message: damage[0]?.message ?? 'damage found', advice };
  }
  const { unknown, gone } = await application.repositories.compare(id);
  if (unknown === 0 && gone === 0) {
    return { check, state: 'ok', message: `${count(packs, 'pack')} there, as the index says; the catalogue agrees` };
  }
  const message = `the catalogue lacks ${count(unknown, 'backup')} and names ${gone} that are gone`;
  return { check, state: 'warn', message, advice: 'Run "holdfast recover" while the service is stopped.' };
}

async function auditLog(application: Application): Promise<Finding> {
  const { events, brokenAt } = await application.audit.verify();
  if (brokenAt === undefined) {
    return { check: 'audit log', state: 'ok', message: `${count(events, 'entry', 'entries')}, chain unbroken` };
  }
  const advice = 'Somebody changed or removed entries. Compare with a copy from an earlier backup of the data folder.';
  return { check: 'audit log', state: 'fail', message: `the chain is broken at entry ${brokenAt}`, advice };
}
