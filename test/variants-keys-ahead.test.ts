import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import { masked, startVariants, until } from './variants-rig.ts';

const ROWS = 'id 1\nid 2\nid 3\n';

describe('a variant whose keys are read ahead', () => {
  it('is made at its first request, of keys that were read after the backup', async (t) => {
    const rig = await startVariants(t);
    rig.maker.hasSidecar = true;
    rig.maker.declare('shop', { small: { kind: 'reduced', produce: 'keys-ahead' } });
    const { id } = await rig.upload('shop', ROWS);
    await until(async () =>
      (await rig.catalogue.backups.allOf('shop~variants')).some((row) => row.sidecar !== undefined),
    );
    await until(async () => {
      const { items } = await rig.catalogue.operations.page({ kind: 'variant', status: 'completed' }, { limit: 10 });
      return items.some(({ result }) => result?.isReadAhead === true);
    });
    assert.equal(rig.maker.productions, 0);
    assert.equal((await rig.get('/download/shop?variant=small')).text, masked(ROWS));
    assert.equal(rig.maker.productions, 1);
    assert.deepEqual(rig.maker.sidecars, [`keys read ahead of ${id}`]);
  });

  it('is blocked as soon as its keys could not be read because the policy does not fit', async (t) => {
    const rig = await startVariants(t);
    rig.maker.declare('shop', { small: { kind: 'reduced', produce: 'keys-ahead' } });
    rig.maker.refusal = new HoldfastError('unsupported', 'variant-blocked', 'Does not fit.');
    await rig.upload('shop', ROWS);
    await until(async () => (await rig.catalogue.variantBlocks.list()).length === 1);
    assert.equal((await rig.get('/download/shop?variant=small')).code, 'variant-blocked');
  });
});
