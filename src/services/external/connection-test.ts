import { formatBytes } from '../../core/byte-count.ts';
import { CheckList } from '../../core/check-list.ts';
import type { ConnectionCheck, ConnectionTestContext } from '../../core/ports/connection-check.ts';
import { type ExternalConfiguration, parseExternalConfiguration } from './configuration.ts';
import { contentOf } from './content-detection.ts';
import type { FoundBackup } from './finding/found-backup.ts';
import type { Origins } from './origin.ts';
import { fullReason, inStep } from './step-failure.ts';

const WARNINGS = 10;
const NOTHING_FOUND = {
  listing: 'Look at `prefix`, `patterns`, `ignore` and `minimumAgeSeconds`: no name matches.',
  elasticsearch: 'Look at `index`, `id`, `fields` and `status`: no document matches, or none has a time.',
  restic: 'Look at `host`, `tags` and `paths`: no snapshot has them.',
};

/** Each step on the way to the newest backup's first bytes, with the whole reason where one fails: an operator asks. */
export async function testExternal(
  { configuration: given, signal }: ConnectionTestContext,
  origins: Origins,
): Promise<readonly ConnectionCheck[]> {
  const list = new CheckList(signal);
  const configuration = parseExternalConfiguration(given);
  const newest = await step(list, 'finding', () => findNewest(configuration, origins, list, signal));
  await checkSecrets(configuration, origins, list, signal);
  if (newest === undefined) {
    for (const name of ['object', 'decryption']) list.skipped(name, 'There is no backup to look at.');
    return list.checks;
  }
  // restic finds, decrypts and reads in one.
  const isThere =
    configuration.source.kind === 'restic' ||
    (await step(list, 'object', () => checkObject(configuration, newest, origins, list, signal)));
  if (isThere === true)
    await step(list, 'decryption', () => checkContent(configuration, newest, origins, list, signal));
  else list.skipped('decryption', 'The backup could not be read.');
  return list.checks;
}

async function findNewest(
  configuration: ExternalConfiguration,
  origins: Origins,
  list: CheckList,
  signal: AbortSignal,
): Promise<FoundBackup | undefined> {
  const [newest] = await origins.find(configuration, 1, signal);
  if (newest === undefined) {
    list.failed('finding', 'No finished backup was found.', NOTHING_FOUND[configuration.source.kind]);
    return undefined;
  }
  const { createdAt, storedSize, key } = newest;
  const size = storedSize === undefined ? '' : `, ${formatBytes(storedSize)}`;
  list.ok('finding', `The newest backup is of ${createdAt}${size}: ${key}`);
  return newest;
}

async function checkSecrets(
  configuration: ExternalConfiguration,
  origins: Origins,
  list: CheckList,
  signal: AbortSignal,
): Promise<void> {
  const { passphrase, privateKey } = origins.keys(configuration, signal);
  for (const [name, fetch] of [['passphrase', passphrase] as const, ['private key', privateKey] as const]) {
    if (fetch === undefined) continue;
    await step(list, name, async () => {
      await fetch();
      list.ok(name, 'It can be fetched.');
    });
  }
  if (passphrase === undefined && privateKey === undefined)
    list.skipped('passphrase', 'None is configured: the backups must not be encrypted.');
}

async function checkObject(
  configuration: ExternalConfiguration,
  { key, storedSize }: FoundBackup,
  origins: Origins,
  list: CheckList,
  signal: AbortSignal,
): Promise<boolean> {
  const looking = new AbortController();
  try {
    return await inStep('object', signal, async () => {
      const source = await origins.source(configuration);
      const opened = await source.open(key, { offset: 0, signal: AbortSignal.any([signal, looking.signal]) });
      for await (const _piece of opened.bytes) break;
      const isSame = storedSize === undefined || storedSize === opened.size;
      if (isSame) list.ok('object', `It has ${formatBytes(opened.size)} and can be read.`);
      else list.failed('object', `It has ${opened.size} bytes and should have ${storedSize}.`);
      return isSame;
    });
  } finally {
    looking.abort();
  }
}

async function checkContent(
  configuration: ExternalConfiguration,
  newest: FoundBackup,
  origins: Origins,
  list: CheckList,
  signal: AbortSignal,
): Promise<void> {
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const stream = await origins.open(configuration, newest, { signal, warn });
  try {
    const content = contentOf(stream.head, configuration.content);
    const { encryption, compression } = stream;
    list.ok('decryption', `Encryption: ${encryption}. Compression: ${compression}. Content: ${content}.`);
    for (const warning of warnings.slice(0, WARNINGS)) list.warning('decryption', warning);
  } finally {
    await stream.close();
  }
}

/** As `CheckList.attempt`, with all that is known of the failure. */
function step<Result>(list: CheckList, name: string, work: () => Promise<Result>): Promise<Result | undefined> {
  return list.attempt(name, () =>
    work().catch((error: unknown) => {
      throw new Error(fullReason(error));
    }),
  );
}
