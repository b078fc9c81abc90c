import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import { type DownloadRig, startDownloads } from './download-rig.ts';

const PROBLEM = 'application/problem+json; charset=utf-8';

describe('errors of a download', () => {
  async function refused(rig: DownloadRig, route: string, headers: Record<string, string> = {}) {
    const answer = await fetch(`${rig.url}${route}`, { headers });
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() };
  }

  it('are SQL that fails with the reason for whoever may be piping it', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 1);
    for (const accept of ['*/*', 'application/sql', 'text/plain']) {
      for (const [route, status, code] of [
        ['/download/absent', 404, 'download-not-found'],
        ['/download/shop?at=never', 400, 'download-choice-invalid'],
        ['/download/shop?nonsense=1', 400, 'request-invalid'],
        ['/download/shop?at=-9w', 404, 'snapshot-not-found'],
        ['/download/shop?format=tar', 422, 'format-not-offered'],
      ] as const) {
        const answer = await refused(rig, route, { accept });
        assert.deepEqual([answer.status, answer.type], [status, 'application/sql; charset=utf-8'], route);
        assert.match(answer.body, /\n\\set ON_ERROR_STOP on\n.*RAISE EXCEPTION/s);
        assert.ok(answer.body.includes(`${status} ${code}`), answer.body);
      }
    }
    rig.principals.set('fred', { name: 'fred', role: 'developer' });
    const stranger = await refused(rig, '/download/shop');
    assert.deepEqual([stranger.status, stranger.type], [401, 'application/sql; charset=utf-8']);
    rig.principals.set('view', { name: 'view', role: 'viewer' });
    const viewer = await refused(rig, '/download/shop', { authorization: 'Bearer view' });
    assert.deepEqual([viewer.status, viewer.type], [403, 'application/sql; charset=utf-8']);
  });

  it('are problems for programs and browsers, and where it is known that there is no SQL', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('files', 'bytes');
    for (const accept of ['application/json', 'application/problem+json', 'text/html,*/*;q=0.8'])
      assert.equal((await refused(rig, '/download/absent', { accept })).type, PROBLEM, accept);
    assert.equal((await refused(rig, '/download/files?at=-9w')).type, PROBLEM);
    rig.controls.onBytes = () => {
      throw new HoldfastError('invalid', 'download-choice-invalid', 'There is no such part.');
    };
    assert.equal((await refused(rig, '/download/files')).type, PROBLEM);
    rig.controls.onBytes = () => {
      throw new Error('a secret of the inside');
    };
    const failed = await refused(rig, '/download/files', { accept: 'application/json' });
    assert.equal(failed.status, 500);
    assert.ok(!failed.body.includes('secret'));
  });

  it('are told with a status where the content fails before its first byte', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 1);
    rig.controls.onBytes = () => {
      throw new Error('a secret of the inside');
    };
    const failed = await refused(rig, '/download/shop');
    assert.deepEqual([failed.status, failed.type], [500, 'application/sql; charset=utf-8']);
    assert.ok(!failed.body.includes('secret'));
    assert.equal(rig.controls.children.size, 0);
  });
});
