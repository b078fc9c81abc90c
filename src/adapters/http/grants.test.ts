import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Role } from '../../core/access.ts';
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

  it('hide the making of variants from who may download others, and not from operators', () => {
    const grants = [
      { resources: ['shop'], variants: ['masked'] },
      { resources: ['wiki'], variants: ['small'] },
    ];
    const knows = (role: Role, variant: string, resourceId = 'shop') =>
      mayKnowOf({ name: 'p', role, grants }, { kind: 'variant', resourceId, input: { variant } });
    assert.equal(knows('developer', 'masked'), true);
    assert.equal(knows('developer', 'small'), false);
    assert.equal(knows('developer', 'small', 'wiki'), true);
    assert.equal(knows('operator', 'small'), true);
    const work = { kind: 'variant', resourceId: 'shop', input: { variant: 'small' } } as const;
    assert.equal(mayKnowOf({ name: 'p', role: 'developer' }, work), true);
    assert.equal(mayKnowOf({ name: 'p', role: 'developer', grants }, { ...work, kind: 'backup' }), true);
  });
});
