import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChainLink } from './ports/service.ts';
import { RecentChains } from './recent-chains.ts';

test('what is kept is given out once, and what is too much or left over is closed', async () => {
  const chains = new RecentChains();
  const closed: string[] = [];
  await chains.keep('first', links('first', 600, closed));
  await chains.keep('second', links('second', 300, closed));
  await chains.keep('third', links('third', 300, closed));
  assert.equal(closed.length, 600);
  assert.deepEqual([...new Set(closed)], ['first']);
  assert.equal(chains.take('first'), undefined);
  assert.equal(chains.take('second')?.length, 300);
  assert.equal(chains.take('second'), undefined);
  await chains.close();
  assert.equal(closed.filter((name) => name === 'third').length, 300);
  assert.equal(closed.filter((name) => name === 'second').length, 0);
});

function links(name: string, count: number, closed: string[]): ChainLink[] {
  const reader = {
    close: async () => {
      closed.push(name);
    },
  };
  return Array.from({ length: count }, () => ({ reader }) as unknown as ChainLink);
}
