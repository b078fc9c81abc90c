import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { startDownloads } from './download-rig.ts';

describe('a download', () => {
  it('is the newest backup, whole, with its name, length, digest and time', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', 'older');
    const newest = await rig.upload('shop', 'newer');
    const answer = await fetch(`${rig.url}/download/shop`);
    assert.equal(answer.status, 200);
    assert.equal(await answer.text(), 'newer');
    const { headers } = answer;
    assert.equal(headers.get('content-length'), '5');
    const sha256 = createHash('sha256').update('newer').digest('base64');
    assert.equal(headers.get('repr-digest'), `sha-256=:${sha256}:`);
    const name = `shop_${newest.createdAt.slice(0, 19).replaceAll(':', '-')}Z.bin`;
    assert.equal(headers.get('content-disposition'), `attachment; filename="${name}"; filename*=UTF-8''${name}`);
    assert.equal(headers.get('last-modified'), new Date(newest.completedAt).toUTCString());
    assert.equal(headers.get('cache-control'), 'private, no-store');
    assert.equal(headers.get('vary'), 'Authorization, Accept-Encoding');
    assert.equal(headers.get('accept-ranges'), 'bytes');
    assert.equal(headers.get('x-accel-buffering'), 'no');
    assert.equal(headers.get('x-snapshot-id'), newest.id);
    assert.equal(headers.get('x-snapshot-resource'), 'shop');
    assert.equal(headers.get('x-snapshot-variant'), 'raw');
    assert.equal(headers.get('x-snapshot-created'), newest.createdAt);
    assert.match(String(headers.get('etag')), /^"[0-9a-f]{24}"$/);
  });

  it('of SQL is sealed, and is not where that is asked for', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 3);
    const sealed = await (await fetch(`${rig.url}/download/shop`)).text();
    assert.match(
      sealed,
      /^\\set ON_ERROR_STOP on\n\\if true\n\\setenv PSQL_EDITOR true\n-- shop [^\n]*\n.*BEGIN;\n.*COMMIT;\n.*\\endif\n$/s,
    );
    const plain = await (await fetch(`${rig.url}/download/shop?seal=none`)).text();
    assert.match(plain, /^--\n-- PostgreSQL database dump\n.*database dump complete\n--\n\n$/s);
    assert.match(await (await fetch(`${rig.url}/download/shop?mode=replace`)).text(), /DROP SCHEMA/);
  });

  it('streams many megabytes whole', async (t) => {
    const rig = await startDownloads(t);
    const bytes = randomBytes(40 << 20);
    await rig.upload('blob', bytes);
    const answer = await fetch(`${rig.url}/download/blob`);
    const received = Buffer.from(await answer.arrayBuffer());
    assert.ok(received.equals(bytes));
    assert.equal(rig.controls.reading, 0);
  });

  it('that is asked for at an address or by a method that there is not fails in a client of a database', async (t) => {
    const rig = await startDownloads(t);
    for (const [method, route, status] of [
      ['GET', '/download/shop/of/mine', 404],
      ['GET', '/download/%zz', 400],
      ['POST', '/download/shop', 405],
      ['GET', '/download/', 404],
    ] as const) {
      const answer = await fetch(`${rig.url}${route}`, { method });
      assert.deepEqual([answer.status, answer.headers.get('content-type')], [status, 'application/sql; charset=utf-8']);
      assert.match(await answer.text(), /RAISE EXCEPTION USING MESSAGE = E'Holdfast: \d+ /);
    }
    const elsewhere = await fetch(`${rig.url}/downloads`);
    assert.match(String(elsewhere.headers.get('content-type')), /problem\+json/);
  });
});
