import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mayKnowOf, mayUse } from './grants.ts';

describe('grants', () => {
  it('cover everything where there are none, else ids and beginnings of ids', () => {
    const principal = (resources?: string[]) => ({
      name: 'p',
      role: 'operator' as const,
      ...(resources && { resources }),
    });
    assert.equal(mayUse(principal(), 'shop'), true);
    assert.equal(mayUse(principal([]), 'shop'), false);
    assert.equal(mayUse(principal(['shop']), 'shop'), true);
    assert.equal(mayUse(principal(['shop']), 'shop-2'), false);
    assert.equal(mayUse(principal(['shop-*']), 'shop-2'), true);
    assert.equal(mayUse(principal(['shop-*']), 'shop'), false);
    assert.equal(mayKnowOf(principal(['shop']), {}), false);
    assert.equal(mayKnowOf(principal(), {}), true);
  });
});
