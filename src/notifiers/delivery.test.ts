import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { eventually } from '../../test/eventually.ts';
import { HoldfastError } from '../core/errors.ts';
import { Delivery, type DeliveryOptions } from './delivery.ts';
import type { Message } from './message.ts';

const AWAY = new HoldfastError('unavailable', 'away', 'It is away.');
const NOT_SO = new HoldfastError('invalid', 'refused', 'It answered 400.');
const QUICK = [1, 1, 1];

describe('a delivery', () => {
  test('takes messages in their order where nothing fails', async () => {
    const { delivery, tried, lines } = deliveryOf([]);
    for (const subject of ['one', 'two', 'three']) delivery.add(message(subject));
    await delivery.close();
    assert.deepEqual([tried, lines], [['one', 'two', 'three'], []]);
  });

  test('tries again what may pass', async () => {
    const { delivery, tried, lines } = deliveryOf([AWAY, AWAY, undefined]);
    delivery.add(message('one'));
    await delivery.close();
    assert.deepEqual([tried, lines], [['one', 'one', 'one'], []]);
  });

  test('gives up what goes on failing, and says so', async () => {
    const { delivery, tried, lines } = deliveryOf([AWAY, undefined], { patienceMilliseconds: 0 });
    delivery.add(message('one'));
    delivery.add(message('two'));
    await delivery.close();
    assert.deepEqual(tried, ['one', 'two']);
    assert.deepEqual(lines, ['The notification test of one was not delivered to "chat": It is away.']);
  });

  test('delivers what is new while something else waits for its next attempt', async () => {
    const { delivery, tried, lines } = deliveryOf([AWAY, undefined], { pausesMilliseconds: [3_600_000] });
    delivery.add(message('refused'));
    delivery.add(message('new'));
    await eventually(() => tried.length === 3, 'it waited behind the other');
    await delivery.close();
    assert.deepEqual([tried, lines], [['refused', 'new', 'refused'], []]);
  });

  test('is woken by what is new', async () => {
    const { delivery, tried } = deliveryOf([AWAY, undefined], { pausesMilliseconds: [3_600_000] });
    delivery.add(message('refused'));
    await new Promise(setImmediate);
    delivery.add(message('new'));
    await eventually(() => tried.length === 3, 'it waited behind the other');
    await delivery.close();
    assert.deepEqual(tried, ['refused', 'new', 'refused']);
  });

  test('tries a place that takes nothing no more than once a second at the end', async () => {
    const { delivery, tried, lines } = deliveryOf(Array(1000).fill(AWAY), {
      pausesMilliseconds: [3_600_000],
      graceMilliseconds: 300,
    });
    for (let n = 0; n < 50; n++) delivery.add(message(String(n)));
    await delivery.close();
    assert.deepEqual([tried.length, lines.length], [2, 50]);
    assert.match(lines.at(-1) ?? '', /of 49 was not delivered to "chat": The process ended before\./);
  });

  test('does not try again what was refused', async () => {
    const { delivery, tried, lines } = deliveryOf([NOT_SO, undefined]);
    delivery.add(message('one'));
    delivery.add(message('two'));
    await delivery.close();
    assert.deepEqual(tried, ['one', 'two']);
    assert.match(lines[0] ?? '', /of one .* It answered 400\./);
  });

  test('says nothing of an error that was not foreseen but its name', async () => {
    const { delivery, lines } = deliveryOf([new TypeError('https://hooks.example/T0KEN')]);
    delivery.add(message('one'));
    await delivery.close();
    assert.deepEqual(lines, [
      'The notification test of one was not delivered to "chat": It failed unexpectedly (TypeError).',
    ]);
  });

  test('holds a hundred that wait: the oldest makes room, and the log says so', async () => {
    const gate = new EventTarget();
    const { delivery, tried, lines } = deliveryOf([], { wait: () => once(gate, 'open') });
    for (let n = 0; n < 104; n++) delivery.add(message(String(n)));
    assert.equal(lines.length, 3, 'one is under way');
    assert.match(lines[0] ?? '', /test of 1 was not delivered to "chat": 100 newer ones wait\./);
    while (tried.length < 101) {
      gate.dispatchEvent(new Event('open'));
      await new Promise(setImmediate);
    }
    assert.deepEqual([tried[0], tried[1], tried.at(-1)], ['0', '4', '103']);
  });

  test('ends within its grace, whoever does not answer, and says what is lost', async () => {
    const { delivery, tried, lines } = deliveryOf([], {
      graceMilliseconds: 20,
      wait: (signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    delivery.add(message('one'));
    delivery.add(message('two'));
    await delivery.close();
    assert.deepEqual(tried, ['one']);
    assert.equal(lines.length, 2);
    assert.match(lines[1] ?? '', /test of two was not delivered to "chat": The process ended before\./);
  });

  test('ends within its grace where the courier does not heed that', { timeout: 10_000 }, async () => {
    const { delivery, lines } = deliveryOf([], { graceMilliseconds: 20, wait: () => new Promise(() => undefined) });
    delivery.add(message('one'));
    await delivery.close();
    assert.match(lines[0] ?? '', /of one was not delivered to "chat": The process ended before\./);
  });

  test('says why it was not taken where the process ends meanwhile', async () => {
    const { delivery, lines } = deliveryOf([AWAY], { graceMilliseconds: 20, pausesMilliseconds: [3_600_000] });
    delivery.add(message('one'));
    await delivery.close();
    assert.deepEqual(lines, [
      'The notification test of one was not delivered to "chat": It is away. The process ended before.',
    ]);
  });

  test('waits as long as it is asked to', async () => {
    const busy = new HoldfastError('unavailable', 'busy', 'It is busy.', { details: { retryAfterSeconds: 3600 } });
    const { delivery, tried } = deliveryOf([busy, undefined], { pausesMilliseconds: [0] });
    delivery.add(message('one'));
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    assert.deepEqual(tried, ['one']);
    await delivery.close();
  });

  test('waits no shorter than it is asked to', async (context) => {
    context.mock.method(Math, 'random', () => 0);
    const busy = new HoldfastError('unavailable', 'busy', 'It is busy.', { details: { retryAfterSeconds: 0.4 } });
    const { delivery, tried } = deliveryOf([busy, undefined], { pausesMilliseconds: [0] });
    const begun = performance.now();
    delivery.add(message('one'));
    await eventually(() => tried.length === 2, 'it was not tried again');
    assert.ok(performance.now() - begun > 390, 'too early');
    await delivery.close();
  });

  test('tries at once at the end what it would have tried in an hour', async () => {
    const { delivery, tried, lines } = deliveryOf([AWAY, undefined], { pausesMilliseconds: [3_600_000] });
    delivery.add(message('one'));
    await new Promise(setImmediate);
    await delivery.close();
    assert.deepEqual([tried, lines], [['one', 'one'], []]);
  });
});

/** @param ends what becomes of each attempt; well where there are no more */
function deliveryOf(
  ends: (Error | undefined)[],
  { wait, ...more }: Partial<DeliveryOptions> & { wait?: (signal: AbortSignal) => Promise<unknown> } = {},
) {
  const tried: string[] = [];
  const lines: string[] = [];
  const courier: DeliveryOptions['courier'] = {
    place: 'chat.example.org',
    async deliver({ subject }, signal) {
      tried.push(subject);
      await wait?.(signal);
      const end = ends.shift();
      if (end !== undefined) throw end;
    },
  };
  const logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (_facts: object, line: string) => void lines.push(line),
  };
  const options = { name: 'chat', courier, logger, pausesMilliseconds: QUICK, ...more };
  return { delivery: new Delivery(options), tried, lines };
}

function message(subject: string): Message {
  const told = { title: 'A test', message: 'It is one.', details: {} };
  return { id: subject, type: 'test', at: '2026-01-01T00:00:00Z', host: 'here', subject, ...told };
}
