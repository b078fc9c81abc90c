import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LocalUser } from '../../core/access.ts';
import { createLocalUsers } from './local-users.ts';

const START = Date.UTC(2026, 0, 1);

function usersOf(records: readonly Partial<LocalUser>[]) {
  const users = new Map(
    records.map((record) => {
      const name = record.name ?? 'fred';
      const time = new Date(START).toISOString();
      const dates = { createdAt: time, updatedAt: time, passwordChangedAt: time };
      return [
        name,
        { id: name, name, role: 'viewer', disabled: false, passwordHash: `hash of ${name}`, ...dates, ...record },
      ];
    }),
  ) as Map<string, LocalUser>;
  const clock = { time: START, now: () => new Date(clock.time) };
  const verified: (string | undefined)[] = [];
  const provider = createLocalUsers({
    users: { get: async (id) => users.get(id) },
    passwords: {
      hash: async () => assert.fail(),
      verify: async (password, hash) => {
        verified.push(hash);
        return hash === `hash of ${password}`;
      },
    },
    clock,
  });
  const signIn = (name: string, password: string) => provider.identify({ kind: 'password', name, password });
  return { users, clock, verified, signIn };
}

test('a hash is computed for names that nobody has, and then others are asked', async () => {
  const { signIn, verified } = usersOf([{}]);
  assert.equal(await signIn('nobody', 'x'), 'unrecognised');
  assert.equal(await signIn('fred', 'x'), 'refused', 'a name that is known here is nobody else');
  assert.deepEqual(verified, [undefined, 'hash of fred']);
});

test('what was right is remembered for five minutes, until the password or the user changes', async () => {
  const { signIn, verified, users, clock } = usersOf([{}]);
  for (let call = 0; call < 10; call++) await signIn('FRED', 'fred');
  assert.equal(verified.length, 1);
  await signIn('fred', 'x');
  assert.equal(verified.length, 2, 'what is wrong is not remembered');
  clock.time += 300_000;
  await signIn('fred', 'fred');
  assert.equal(verified.length, 3);
  const fred = users.get('fred')!;
  users.set('fred', { ...fred, disabled: true });
  assert.equal(await signIn('fred', 'fred'), 'refused');
  users.set('fred', { ...fred, expiresAt: new Date(clock.time + 1).toISOString() });
  assert.notEqual(await signIn('fred', 'fred'), 'refused');
  clock.time += 1;
  assert.equal(await signIn('fred', 'fred'), 'refused');
  users.set('fred', { ...fred, passwordHash: 'hash of other' });
  assert.equal(await signIn('fred', 'fred'), 'refused');
});

test('grants that have expired give nothing, and nothing is not all', async () => {
  const grant = { resources: ['shop'], variants: ['raw'] };
  const { signIn, clock } = usersOf([{ grants: [{ ...grant, expiresAt: new Date(START + 1000).toISOString() }] }]);
  const grantsOf = async () => {
    const found = await signIn('fred', 'fred');
    assert.ok(typeof found === 'object');
    return found.grants?.length;
  };
  assert.equal(await grantsOf(), 1);
  clock.time += 1000;
  assert.equal(await grantsOf(), 0);
});
