import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKey, SignInAttempts } from './sign-in-attempts.ts';

const MINUTE = 60_000;

function attemptsAt(most?: number): { attempts: SignInAttempts; clock: { time: number; now: () => Date } } {
  const clock = { time: Date.UTC(2026, 0, 1), now: () => new Date(clock.time) };
  return { attempts: new SignInAttempts(clock, most), clock };
}

async function fail(attempts: SignInAttempts, name: string, address: string): Promise<void> {
  (await attempts.begin(name, address)).failed();
}

async function waitOf(attempts: SignInAttempts, name: string, address: string): Promise<number> {
  try {
    (await attempts.begin(name, address)).abandoned();
    return 0;
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'sign-in-blocked', String(error));
    return (error as unknown as { details: { retryAfterSeconds: number } }).details.retryAfterSeconds;
  }
}

test('five wrong passwords in a minute shut a name out everywhere, and nobody else', async () => {
  const { attempts, clock } = attemptsAt();
  for (let at = 0; at < 5; at++) {
    assert.equal(await waitOf(attempts, 'fred', '10.0.1.1'), 0);
    await fail(attempts, 'fred', `10.0.0.${at}`);
  }
  assert.equal(await waitOf(attempts, 'fred', '10.0.1.1'), 60);
  for (const same of ['FRED', 'frèd', 'fr\u00aded', ' fred '])
    assert.equal(await waitOf(attempts, same, '10.0.1.1'), 60, same);
  assert.equal(await waitOf(attempts, 'anna', '10.0.1.1'), 0);
  clock.time += MINUTE;
  assert.equal(await waitOf(attempts, 'fred', '10.0.1.1'), 0);
});

test('five wrong passwords in a minute shut an address out, whatever the names', async () => {
  const { attempts } = attemptsAt();
  for (let at = 0; at < 5; at++) await fail(attempts, `name-${at}`, '2001:db8:1:2::1');
  assert.equal(await waitOf(attempts, 'fred', '2001:db8:1:2:ffff::9'), 60, 'a customer has as many addresses as this');
  assert.equal(await waitOf(attempts, 'fred', '2001:db8:1:3::1'), 0);
});

test('each time is twice as long as the one before, up to an hour, until a day was quiet', async () => {
  const { attempts, clock } = attemptsAt();
  const waits: number[] = [];
  for (let round = 0; round < 8; round++) {
    for (let at = 0; at < 5; at++) await fail(attempts, 'fred', `10.${round}.0.${at}`);
    const wait = await waitOf(attempts, 'fred', '10.0.1.1');
    waits.push(wait);
    clock.time += wait * 1000;
  }
  assert.deepEqual(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
  clock.time += 24 * 60 * MINUTE + 1;
  for (let at = 0; at < 5; at++) await fail(attempts, 'fred', `10.9.0.${at}`);
  assert.equal(await waitOf(attempts, 'fred', '10.0.1.1'), 60);
});

test('slow mistakes shut nobody out, and a right password takes no mistake back', async () => {
  const { attempts, clock } = attemptsAt();
  for (let at = 0; at < 20; at++) {
    await fail(attempts, 'fred', '10.0.0.1');
    clock.time += 20_000;
  }
  assert.equal(await waitOf(attempts, 'fred', '10.0.0.1'), 0);
  clock.time += MINUTE;
  for (let at = 0; at < 5; at++) {
    await fail(attempts, `victim-${at}`, '10.0.0.2');
    if (at < 4) (await attempts.begin('mallory', '10.0.0.2')).succeeded();
  }
  assert.equal(await waitOf(attempts, 'mallory', '10.0.0.2'), 60);
});

test('guesses from elsewhere do not shut somebody out of the place where they signed in today', async () => {
  const { attempts } = attemptsAt();
  (await attempts.begin('fred', '192.168.0.1')).succeeded();
  for (let at = 0; at < 5; at++) await fail(attempts, 'fred', `10.0.0.${at}`);
  assert.equal(await waitOf(attempts, 'fred', '10.0.0.77'), 60);
  assert.equal(await waitOf(attempts, 'fred', '192.168.0.1'), 0);
  for (let at = 0; at < 5; at++) await fail(attempts, 'fred', '192.168.0.1');
  assert.ok((await waitOf(attempts, 'fred', '192.168.0.1')) > 0, 'there too, guesses are counted');
});

test('guesses that are made at once are not more guesses', async () => {
  const { attempts } = attemptsAt();
  let looked = 0;
  const outcomes = await Promise.allSettled(
    Array.from({ length: 100 }, async () => {
      const attempt = await attempts.begin('fred', '10.0.0.1');
      looked++;
      await new Promise(setImmediate);
      attempt.failed();
    }),
  );
  assert.equal(looked, 5);
  assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 95);
});

test('right passwords that come at once all come in, and more than can wait are refused', async () => {
  const { attempts } = attemptsAt();
  const signIn = async () => {
    const attempt = await attempts.begin('fred', '10.0.0.1');
    await new Promise(setImmediate);
    attempt.succeeded();
  };
  await Promise.all(Array.from({ length: 200 }, signIn));
  const outcomes = await Promise.allSettled(Array.from({ length: 400 }, signIn));
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  assert.equal(refused.length, 400 - 256 - 5);
  assert.ok(refused.every(({ reason }) => reason.code === 'sign-in-busy'));
});

test('an address counts without its port and its notation', () => {
  for (const same of ['::ffff:10.1.2.3', '10.1.2.3:4567', '[::ffff:10.1.2.3]:80', '10.1.2.3']) {
    assert.equal(addressKey(same), '10.1.2.3', same);
  }
  for (const same of ['2001:db8::1', '2001:0DB8:0:0:1::', '[2001:db8::2]:443', '2001:db8::3%eth0']) {
    assert.equal(addressKey(same), '2001:db8:0:0::/64', same);
  }
  assert.equal(addressKey('::1'), '0:0:0:0::/64');
  assert.equal(addressKey('unknown'), 'unknown');
});

test('whoever is shut out cannot make it forgotten who else is', async () => {
  const { attempts } = attemptsAt(20);
  for (let at = 0; at < 5; at++) await fail(attempts, 'fred', `10.0.0.${at}`);
  for (let at = 0; at < 5; at++) await fail(attempts, `name-${at}`, '10.0.1.1');
  for (let at = 0; at < 40; at++) assert.equal(await waitOf(attempts, `other-${at}`, '10.0.1.1'), 60);
  assert.equal(await waitOf(attempts, 'fred', '10.0.1.2'), 60);
});
