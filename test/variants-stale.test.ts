import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { blockId } from '../src/core/variant-outcomes.ts';
import { DAY } from './managed-application.ts';
import {
  developer,
  masked,
  problem,
  REDUCED,
  ROWS,
  startVariants,
  states,
  until,
  type VariantsRig,
} from './variants-rig.ts';

const OLD = ROWS;
const NEW = `${ROWS}Eva,0160 11111\n`;
const AT_ONCE = { prefer: 'wait=1' };

describe('an older reduced variant instead of one that is not made yet', () => {
  /** The older one is ready, and the newer one takes as long as the test wants. */
  async function rigWithBoth(t: TestContext): Promise<{ rig: VariantsRig; older: string; newer: string }> {
    const rig = await startVariants(t);
    rig.maker.declare('shop', { small: REDUCED, masked: {} });
    const older = (await rig.upload('shop', OLD)).id;
    assert.equal((await rig.get('/download/shop')).text, masked(OLD));
    rig.advance(60_000);
    const newer = (await rig.upload('shop', NEW)).id;
    rig.maker.hold();
    return { rig, older, newer };
  }
  const code = async (rig: VariantsRig, query = '') => (await rig.get(`/download/shop?stale=ok${query}`, AT_ONCE)).code;

  it('is given at once with its own time, while the newer one is made, which is given when it is ready', async (t) => {
    const { rig, older, newer } = await rigWithBoth(t);
    const head = await rig.get('/download/shop?stale=ok', {}, 'HEAD');
    assert.deepEqual([head.status, head.headers.get('x-snapshot-id')], [200, older]);
    assert.equal(await states(rig), 'small:on-demand masked:on-demand raw:on-demand', 'HEAD begins something');
    const answer = await rig.get('/download/shop?stale=ok');
    assert.deepEqual([answer.status, answer.text], [200, masked(OLD)]);
    const header = (name: string) => answer.headers.get(name);
    const backup = await rig.application.backups.get(older);
    assert.deepEqual([header('x-snapshot-id'), header('x-snapshot-newer')], [older, newer]);
    assert.equal(header('x-snapshot-created'), backup.createdAt);
    assert.ok(header('content-disposition')?.includes(backup.createdAt.slice(0, 10)));
    assert.match(await states(rig), /^small:building /);
    const part = await rig.get('/download/shop?stale=ok&tables=Anna');
    assert.deepEqual([part.status, part.text], [200, 'Anna,7777 77777\n'], 'parts are given of it');
    assert.equal(part.headers.get('x-snapshot-id'), older);
    assert.equal(await code(rig), undefined, 'it is given as often as somebody asks');
    const { items } = await rig.application.operations.list({ kind: 'variant', status: 'running' }, { limit: 10 });
    assert.equal(items.length, 1);
    const refused = await rig.get('/download/shop', AT_ONCE);
    assert.equal(refused.code, 'variant-being-made', 'who did not ask for it gets an older one');
    assert.ok(problem(refused.text).operation);
    rig.maker.release();
    await until(async () => (await states(rig)).startsWith('small:ready'));
    const fresh = await rig.get('/download/shop?stale=ok');
    assert.deepEqual([fresh.text, fresh.headers.get('x-snapshot-newer')], [masked(NEW), null]);
    assert.notEqual(fresh.headers.get('etag'), header('etag'));
    const { items: events } = await rig.application.audit.page({ action: 'download.get' }, { limit: 20 });
    assert.ok(events.some(({ details }) => details?.backup === older && details?.insteadOf === newer));
  });

  it('is never one of another policy, one that is blocked, gone or not for this caller, nor stands for one that cannot be made', async (t) => {
    const { rig, older, newer } = await rigWithBoth(t);
    rig.maker.version = 'two';
    assert.equal(await code(rig), 'variant-being-made', 'an older policy');
    rig.maker.version = 'one';
    const [declared] = await rig.maker.declared('shop');
    const block = async (snapshotId: string) => {
      const subject = { resourceId: 'shop', snapshotId, variant: 'small' };
      const facts = { code: 'variant-leaks', message: 'Withdrawn.', problems: [], createdAt: rig.now().toISOString() };
      const fingerprint = declared?.fingerprint ?? '';
      await rig.catalogue.variantBlocks.put({ id: blockId(subject), ...subject, ...facts, fingerprint });
      return () => rig.catalogue.variantBlocks.delete(blockId(subject));
    };
    const unblock = await block(older);
    assert.equal(await code(rig), 'variant-being-made', 'one that was withdrawn');
    await unblock();
    const mend = await block(newer);
    assert.equal(await code(rig), 'variant-blocked', 'the newer one cannot be made');
    await mend();
    const grant = { resources: ['shop'], variants: ['small'] };
    rig.principals.set('fred', developer([{ ...grant, latestOnly: true }]));
    assert.equal(await code(rig), 'variant-being-made', 'a grant for the latest alone');
    rig.principals.set('fred', developer([grant]));
    assert.equal(await code(rig), undefined);
    rig.principals.clear();
    await rig.application.backups.delete(older, { cascade: false, reason: 'test', by: 'test' });
    assert.equal(await code(rig), 'variant-being-made', 'its source is gone');
  });

  it('is older than what was asked for, and is not asked for with the id of a backup', async (t) => {
    const { rig, newer } = await rigWithBoth(t);
    assert.equal(await code(rig, `&backup=${newer}`), 'download-choice-invalid');
    assert.equal((await rig.get('/download/shop?stale=yes')).status, 400);
    assert.equal((await rig.get('/download/shop?stale=ok&variant=raw')).text, NEW);
    rig.advance(DAY);
    await rig.upload('shop', 'row 3');
    const answer = await rig.get('/download/shop?stale=ok&at=-1h');
    assert.equal(answer.headers.get('x-snapshot-newer'), newer, 'a newer one than was asked for');
  });
});
