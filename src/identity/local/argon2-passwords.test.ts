import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createArgon2Passwords } from './argon2-passwords.ts';

const cheap = { memoryKiB: 64, passes: 1, parallelism: 1 };

test('a password is kept as Argon2id with its parameters, and only it fits, however its letters were composed', async () => {
  const passwords = createArgon2Passwords();
  const hash = await passwords.hash('Zürich brücke');
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.notEqual(hash, await passwords.hash('Zürich brücke'));
  assert.equal(await passwords.verify('Zürich brücke'.normalize('NFD'), hash), true);
  for (const wrong of ['Zurich brucke', '', 'zürich brücke', 'Zürich brücke ']) {
    assert.equal(await passwords.verify(wrong, hash), false, wrong);
  }
});

test('hashes with other parameters are compared by these', async () => {
  const hash = await createArgon2Passwords(cheap).hash('correct horse');
  assert.equal(await createArgon2Passwords().verify('correct horse', hash), true);
  await assert.rejects(createArgon2Passwords().verify('x', '$argon2i$v=19$m=64,t=1,p=1$c2FsdA$AAAA'), {
    code: 'password-hash-unreadable',
  });
  await assert.rejects(createArgon2Passwords().verify('x', hash.replace('m=64', 'm=9999999')), {
    code: 'password-hash-unreadable',
  });
});

test('nobody is never right, and costs the same work', async () => {
  const passwords = createArgon2Passwords();
  assert.equal(await passwords.verify('correct horse', undefined), false);
  const before = process.resourceUsage().userCPUTime;
  await passwords.verify('correct horse', undefined);
  assert.ok(process.resourceUsage().userCPUTime - before > 1000, 'microseconds of work, not none');
});

test('more guesses than can be expected to wait are refused instead of filling the memory', async () => {
  const passwords = createArgon2Passwords(cheap);
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => passwords.verify('x', undefined)));
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  assert.equal(refused.length, 100 - 64 - 2);
  assert.ok(refused.every(({ reason }) => reason.code === 'sign-in-busy'));
  assert.equal(await passwords.verify('x', undefined), false, 'and when they are done, others come in');
});
