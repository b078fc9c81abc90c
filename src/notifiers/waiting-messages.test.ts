import assert from 'node:assert/strict';
import { beforeEach, describe, type TestContext, test } from 'node:test';
import type { Message } from './message.ts';
import { type WaitingMessage, WaitingMessages, type WaitingOptions } from './waiting-messages.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe('what waits for a place', () => {
  beforeEach((context) => {
    // As long as pauses get.
    (context as TestContext).mock.method(Math, 'random', () => 1);
  });

  test('is tried in its order where nothing fails', () => {
    const place = new Place();
    place.add('one', 'two', 'three');
    assert.deepEqual(place.run(0, takesAll), ['0 one +', '0 two +', '0 three +']);
  });

  test('is tried after 2 s, 10 s, 1, 5 and 15 minutes, then each hour, for a day', () => {
    const place = new Place();
    place.add('one');
    const tried = place.run(48 * HOUR, takesNothing);
    const first = [0, 2, 12, 72, 372, 1272, 4872, 8472].map((seconds) => `${seconds} one -`);
    assert.deepEqual(tried.slice(0, first.length), first);
    assert.deepEqual(place.givenUp, ['one']);
    assert.ok(place.now >= 24 * HOUR && place.now < 25 * HOUR, String(place.now));
  });

  test('holds back nothing that comes later, however often it is refused', () => {
    const place = new Place();
    place.add('refused');
    for (let n = 1; n <= 20; n++) {
      place.now = n * 10 * MINUTE;
      place.run(place.now, takesOthers);
      place.add('new');
      assert.ok(place.run(place.now, takesOthers).includes(`${n * 600} new +`), `it waited at ${n}`);
    }
  });

  test('is not tried again by each success of others, if it was refused where they were taken', () => {
    const place = new Place();
    place.add('refused');
    const tried = place.run(0, takesOthers);
    for (let n = 0; n < 50; n++) {
      place.add('new');
      tried.push(...place.run(0, takesOthers));
    }
    assert.equal(tried.filter((each) => each === '0 refused -').length, 2);
  });

  test('is tried by one for all where two in a row failed, at pauses that grow', () => {
    const place = new Place();
    place.add(...Array.from({ length: 50 }, (_, n) => `m${n}`));
    const tried = place.run(MINUTE, takesNothing);
    assert.deepEqual(tried, ['0 m0 -', '0 m1 -', '2 m2 -', '12 m3 -']);
  });

  test('goes at once, in its order, when a place that was away takes something again', () => {
    const place = new Place();
    place.add('one', 'two', 'three', 'four', 'five');
    place.run(MINUTE, takesNothing);
    assert.deepEqual(place.run(2 * MINUTE, takesAll), ['72 five +', '72 one +', '72 two +', '72 three +', '72 four +']);
  });

  test('is judged anew when a place is back: what is refused then holds back nothing', () => {
    const place = new Place();
    place.add('one', 'two');
    place.run(HOUR, takesNothing);
    place.run(3 * HOUR, takesAll);
    place.add('refused');
    const second = place.now / SECOND;
    assert.deepEqual(place.run(place.now, takesOthers), [`${second} refused -`]);
    place.add('new');
    assert.equal(place.run(place.now, takesOthers)[0], `${second} new +`);
  });

  test('goes at once when something new is taken, also where it would be tried in an hour', () => {
    const place = new Place();
    place.add('one');
    place.run(2 * HOUR, takesNothing);
    place.now = 2 * HOUR;
    place.add('new');
    assert.deepEqual(place.run(2 * HOUR, takesAll), ['7200 new +', '7200 one +']);
  });

  test('and is new, is tried within five minutes at a place that takes nothing', () => {
    const place = new Place();
    place.add('one', 'two');
    place.run(3 * HOUR, takesNothing);
    const [before] = place.run(5 * HOUR, takesNothing).slice(-1);
    place.now = Number(before?.split(' ')[0]) * SECOND + 2 * MINUTE;
    place.add('new', 'newer');
    const tried = place.run(place.now + 20 * MINUTE, takesNothing);
    assert.deepEqual(
      tried.map((each) => each.split(' ')[1]),
      ['new', 'newer'],
    );
    assert.equal(Number(tried[0]?.split(' ')[0]) - Number(before?.split(' ')[0]), 300);
  });

  test('waits as long as the place asks for, all of it, but for an hour at most', () => {
    const place = new Place();
    place.add('one', 'two');
    assert.deepEqual(place.run(3 * MINUTE, takesNothing, 4 * MINUTE), ['0 one -']);
    place.add('new');
    assert.deepEqual(place.run(HOUR / 2, takesAll), ['240 two +', '240 new +', '240 one +']);
    place.add('three');
    place.run(place.now, takesNothing, 24 * HOUR);
    assert.deepEqual(place.run(2 * HOUR, takesAll), ['3840 three +']);
  });

  test('and is new, waits five minutes at most, whatever the place asks for: it may do so for one message alone', () => {
    const place = new Place();
    place.add('refused');
    assert.deepEqual(place.run(0, takesNothing, HOUR), ['0 refused -']);
    place.add('new');
    assert.equal(place.run(HOUR / 2, takesOthers)[0], '300 new +');
  });

  test('is a hundred at most: the oldest makes room, also for what comes back', () => {
    const place = new Place();
    place.add('oldest');
    const [oldest] = place.take();
    place.add(...Array.from({ length: 101 }, (_, n) => `m${n}`));
    assert.deepEqual(place.givenUp, ['m0']);
    place.fail(oldest as WaitingMessage);
    assert.deepEqual(place.givenUp, ['m0', 'oldest']);
    assert.equal(place.waiting.size, 100);
  });

  test('is given up after a day where the place takes nothing, also if others were tried in its stead', () => {
    const place = new Place();
    place.add(...Array.from({ length: 60 }, (_, n) => `m${n}`));
    place.run(48 * HOUR, takesNothing);
    assert.equal(place.waiting.size, 0);
    assert.equal(new Set(place.givenUp).size, 60);
    assert.ok(place.now < 26 * HOUR, String(place.now));
  });

  test('is all due when the end is near, and then once a second', () => {
    const place = new Place();
    place.add('one', 'two', 'three');
    place.run(MINUTE, takesNothing, HOUR);
    place.waiting.hasten(place.now);
    const begin = place.now;
    const tried = place.run(begin + 3 * SECOND, takesNothing, HOUR);
    assert.equal(tried.length, 4);
    assert.deepEqual(place.waiting.drain().length, 3);
  });
});

const takesAll = () => true;
const takesNothing = () => false;
const takesOthers = (subject: string) => subject !== 'refused';

/** A place, and a clock that goes from one attempt to the next. */
class Place {
  readonly waiting: WaitingMessages;
  readonly givenUp: string[] = [];
  now = 0;

  constructor(options: WaitingOptions = {}) {
    this.waiting = new WaitingMessages(options);
  }

  add(...subjects: string[]): void {
    for (const subject of subjects) this.#gone(this.waiting.add(message(subject), this.now));
  }

  take(): WaitingMessage[] {
    const next = this.waiting.next(this.now);
    return next !== undefined && 'one' in next ? [next.one] : [];
  }

  fail(one: WaitingMessage, retryAfterMilliseconds = 0): void {
    this.#gone(this.waiting.failed(one, this.now, 'It is away.', retryAfterMilliseconds));
  }

  /** Tries what is to be tried until a moment. @returns at which second what was tried, and how it ended */
  run(until: number, takes: (subject: string) => boolean, retryAfterMilliseconds = 0): string[] {
    const tried: string[] = [];
    for (let next = this.waiting.next(this.now); next !== undefined; next = this.waiting.next(this.now)) {
      if ('at' in next) {
        if (next.at > until) break;
        this.now = next.at;
        continue;
      }
      const { subject } = next.one.message;
      const isTaken = takes(subject);
      tried.push(`${this.now / SECOND} ${subject} ${isTaken ? '+' : '-'}`);
      if (isTaken) this.waiting.taken(this.now);
      else this.fail(next.one, retryAfterMilliseconds);
    }
    return tried;
  }

  #gone(all: WaitingMessage[]): void {
    this.givenUp.push(...all.map((one) => one.message.subject));
  }
}

function message(subject: string): Message {
  const told = { title: 'A test', message: 'It is one.', details: {} };
  return { id: subject, type: 'test', at: '2026-01-01T00:00:00Z', host: 'here', subject, ...told };
}
