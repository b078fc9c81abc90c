import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { openSqliteCatalogue } from '../src/catalogue/sqlite/sqlite-catalogue.ts';
import { configuredNotifier } from '../src/notifiers/configured-notifier.ts';
import { mountSmallDisk } from './small-disk.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

const { folder, skip } = mountSmallDisk('notifications-full', 2);

test('a notification that a full disk cannot keep is delivered all the same, and the log says that it is not kept', {
  skip,
}, async (context) => {
  const receiver = await WebhookReceiver.start(context);
  const catalogue = await openSqliteCatalogue({ file: path.join(folder, 'catalogue.sqlite') });
  const lines: string[] = [];
  const warn = (_facts: object, line: string) => void lines.push(line);
  const logger = { debug: () => undefined, info: () => undefined, warn, error: warn };
  try {
    const webhook = { url: receiver.url, format: 'json', headers: {}, timeoutSeconds: 30 } as const;
    const notifier = await configuredNotifier([{ name: 'chat', subjects: ['*'], webhook }], {
      logger,
      undelivered: catalogue.undelivered,
      resolveSecret: async (reference) => reference,
      clock: { now: () => new Date() },
      environment: {},
      host: 'web1',
      version: '1.2.3',
    });
    await notifier.start?.();
    const filler = path.join(folder, 'filler');
    await assert.rejects(writeFile(filler, Buffer.alloc(8 << 20)), { code: 'ENOSPC' });
    const details = { filler: 'x'.repeat(20_000) };
    for (const subject of ['one', 'two'])
      await notifier.notify({ type: 'drill-failed', subject, message: 'It did not pass.', details });
    await receiver.until(2);
    rmSync(filler);
    await notifier.notify({ type: 'drill-failed', subject: 'three', message: 'It did not pass.', details });
    await receiver.until(3);
    await notifier.close?.();
    assert.deepEqual(
      receiver.bodies.map(({ subject }) => subject),
      ['one', 'two', 'three'],
    );
    const unkept = lines.filter((line) => /is lost if the service ends before it is delivered: The disk of/.test(line));
    assert.equal(unkept.length, 2, lines.join('\n'));
    assert.deepEqual(await catalogue.undelivered.list(), []);
  } finally {
    await catalogue.close();
  }
});
