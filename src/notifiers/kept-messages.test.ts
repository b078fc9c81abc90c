import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { openSqliteCatalogue } from '../catalogue/sqlite/sqlite-catalogue.ts';
import { Delivery } from './delivery.ts';
import { KeptMessages } from './kept-messages.ts';
import type { Message } from './message.ts';

describe('messages that are kept', () => {
  test('are there for the next process as they were, in their order, until they are removed', async (context) => {
    const catalogue = await temporaryCatalogue(context);
    const [kept] = keptIn(catalogue);
    const subjects = Array.from({ length: 20 }, (_, n) => `shop-${n}`);
    for (const subject of subjects) kept.put('chat', message(subject));
    kept.put('mail', { ...message('other'), details: { bytes: 2n ** 60n, 'a\\u': 'ü\n"' }, repeated: 3 });
    kept.remove('chat', message('shop-7'));
    await kept.settled();
    const [next] = keptIn(catalogue);
    const loaded = await next.load();
    assert.deepEqual(
      loaded.filter(({ target }) => target === 'chat').map((each) => each.message.subject),
      subjects.filter((subject) => subject !== 'shop-7'),
    );
    const other = loaded.find(({ target }) => target === 'mail');
    const details = { bytes: String(2n ** 60n), 'a\\u': 'ü\n"' };
    assert.deepEqual(other?.message, { ...message('other'), details, repeated: 3 });
    for (const each of loaded) next.remove(each.target, each.message);
    await next.settled();
    assert.deepEqual(await catalogue.undelivered.list(), []);
  });

  test('of this process are not taken up by it a second time', async (context) => {
    const [kept] = keptIn(await temporaryCatalogue(context));
    kept.put('chat', message('shop'));
    assert.deepEqual(await kept.load(), []);
  });

  test('that cannot be written are delivered all the same, and the log says what that means', async (context) => {
    const { undelivered } = await temporaryCatalogue(context);
    const full = async () => {
      throw new Error('The disk is full.');
    };
    const lines: string[] = [];
    const logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: (_facts: object, line: string) => void lines.push(line),
    };
    const kept = new KeptMessages({ ...undelivered, put: full, delete: full, list: full }, logger);
    const delivered: string[] = [];
    const courier = { place: 'here', deliver: async ({ subject }: Message) => void delivered.push(subject) };
    const delivery = new Delivery({ name: 'chat', courier, logger, kept });
    assert.deepEqual(await kept.load(), []);
    delivery.add(message('shop'));
    await delivery.close();
    assert.deepEqual(delivered, ['shop']);
    assert.match(lines[0] ?? '', /that were kept .* cannot be read: The disk is full\./);
    assert.match(lines[1] ?? '', /test of shop to "chat" is lost if the service ends before .*: The disk is full\./);
    assert.equal(lines.length, 2);
  });

  test('that nobody can read, or that are very long, are not kept', async (context) => {
    const catalogue = await temporaryCatalogue(context);
    const [kept, lines] = keptIn(catalogue);
    kept.put('chat', { ...message('long'), message: 'x'.repeat(70_000) });
    await kept.settled();
    assert.match(lines[0] ?? '', /of long to "chat" is lost if the service ends before .* longer than 65536 bytes/);
    const strange = { ...message('strange'), at: 'yesterday' };
    const row = {
      id: 'chat/1',
      createdAt: '2026-01-01T00:00:00Z',
      sequence: 0,
      target: 'chat',
      message: { ...strange },
    };
    await catalogue.undelivered.put(row);
    assert.deepEqual(await kept.load(), []);
    await kept.settled();
    assert.match(lines[1] ?? '', /kept for "chat" cannot be read, and is dropped/);
    assert.deepEqual(await catalogue.undelivered.list(), []);
  });

  test('are those that wait: what is delivered, given up or makes room goes', async (context) => {
    const catalogue = await temporaryCatalogue(context);
    const [kept] = keptIn(catalogue);
    const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined };
    const courier = {
      place: 'here',
      deliver: async ({ subject }: Message) => {
        if (subject !== 'fine') throw new Error('No.');
      },
    };
    const delivery = new Delivery({ name: 'chat', courier, logger, kept });
    for (let n = 0; n < 150; n++) delivery.add(message(n % 2 === 0 ? 'fine' : 'refused'));
    await delivery.close();
    assert.deepEqual(await catalogue.undelivered.list(), []);
  });
});

function keptIn(catalogue: Awaited<ReturnType<typeof temporaryCatalogue>>): [KeptMessages, string[]] {
  const lines: string[] = [];
  return [new KeptMessages(catalogue.undelivered, { warn: (_facts, line) => void lines.push(line) }), lines];
}

async function temporaryCatalogue(context: TestContext) {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-kept-messages-'));
  const catalogue = await openSqliteCatalogue({ file: path.join(folder, 'catalogue.sqlite') });
  context.after(async () => {
    await catalogue.close();
    await rm(folder, { recursive: true, force: true });
  });
  return catalogue;
}

let messages = 0;
const ids = new Map<string, string>();

/** The same for the same subject, as far as it is told apart. */
function message(subject: string): Message {
  const isOne = subject === 'fine' || subject === 'refused';
  const id = isOne ? String(messages++) : (ids.get(subject) ?? String(messages++));
  ids.set(subject, id);
  const told = { title: 'A test', message: 'It is one.', details: {} };
  return { id, type: 'test', at: '2026-01-01T00:00:00.000Z', host: 'here', subject, ...told };
}
