import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { PROSE, startDownloads } from './download-rig.ts';

describe('HEAD of a download', () => {
  it('tells what GET would, makes nothing and is no download', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', PROSE);
    const get = await fetch(`${rig.url}/download/shop`, { headers: { 'accept-encoding': 'identity' } });
    await get.arrayBuffer();
    rig.controls.onBytes = () => assert.fail('HEAD reads');
    const head = await fetch(`${rig.url}/download/shop`, { method: 'HEAD' });
    assert.equal(head.status, 200);
    for (const name of [
      ...['content-type', 'content-length', 'content-disposition', 'etag', 'last-modified', 'repr-digest'],
      ...['accept-ranges', 'cache-control', 'vary', 'x-snapshot-id', 'x-accel-buffering', 'x-content-type-options'],
    ])
      assert.equal(head.headers.get(name), get.headers.get(name), name);
    assert.equal((await fetch(`${rig.url}/download/absent`, { method: 'HEAD' })).status, 404);
    const etag = String(head.headers.get('etag'));
    const unchanged = { method: 'HEAD', headers: { 'if-none-match': etag } };
    assert.equal((await fetch(`${rig.url}/download/shop`, unchanged)).status, 304);
    assert.equal((await rig.audits()).length, 1);
  });
});

describe('a download that the client has already', () => {
  it('is not sent again', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', PROSE);
    const first = await fetch(`${rig.url}/download/shop`, { headers: { 'accept-encoding': 'identity' } });
    await first.arrayBuffer();
    const etag = String(first.headers.get('etag'));
    const modified = String(first.headers.get('last-modified'));
    const statusFor = async (headers: Record<string, string>) =>
      (await fetch(`${rig.url}/download/shop`, { headers })).status;
    assert.equal(await statusFor({ 'if-none-match': etag }), 304);
    assert.equal(await statusFor({ 'if-none-match': `"other", W/${etag}` }), 304);
    assert.equal(await statusFor({ 'if-none-match': etag.replace(/"$/, '-gzip"') }), 304);
    assert.equal(await statusFor({ 'if-none-match': '"other"' }), 200);
    assert.equal(await statusFor({ 'if-modified-since': modified }), 304);
    assert.equal(await statusFor({ 'if-modified-since': 'Thu, 01 Jan 2015 00:00:00 GMT' }), 200);
    assert.equal(await statusFor({ 'if-modified-since': modified, 'if-none-match': '"other"' }), 200);
  });

  it('has a weak tag where the next one may have other bytes, and another for another choice', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 10);
    const tag = async (query: string) => {
      const answer = await fetch(`${rig.url}/download/shop${query}`, { method: 'HEAD' });
      return String(answer.headers.get('etag'));
    };
    const tags = [await tag(''), await tag('?mode=replace'), await tag('?seal=none'), await tag('?tables=a')];
    assert.equal(new Set(tags).size, 4);
    for (const each of tags) assert.match(each, /^"/);
    rig.controls.isReproducible = false;
    assert.equal(await tag(''), `W/${tags[0]}`);
  });
});

describe('a part of a download', () => {
  it('is given where the content can begin in the middle', async (t) => {
    const rig = await startDownloads(t);
    const bytes = randomBytes(3 << 20);
    await rig.upload('shop', bytes);
    const part = async (headers: Record<string, string>) => {
      const answer = await fetch(`${rig.url}/download/shop`, { headers });
      return { answer, body: Buffer.from(await answer.arrayBuffer()) };
    };
    const middle = await part({ range: 'bytes=1000000-1999999', 'accept-encoding': 'gzip' });
    assert.equal(middle.answer.status, 206);
    assert.equal(middle.answer.headers.get('content-range'), `bytes 1000000-1999999/${bytes.length}`);
    assert.equal(middle.answer.headers.get('content-length'), '1000000');
    assert.equal(middle.answer.headers.get('content-encoding'), null);
    assert.ok(middle.body.equals(bytes.subarray(1_000_000, 2_000_000)));
    assert.ok((await part({ range: 'bytes=3000000-' })).body.equals(bytes.subarray(3_000_000)));
    assert.ok((await part({ range: 'bytes=-10' })).body.equals(bytes.subarray(-10)));
    for (const whole of ['bytes=1-2,5-6', 'lines=1-2', 'bytes=5-1', 'nonsense'])
      assert.equal((await part({ range: whole })).answer.status, 200, whole);
    const behind = await part({ range: `bytes=${bytes.length}-`, accept: 'application/json' });
    assert.equal(behind.answer.status, 416);
    assert.equal(behind.answer.headers.get('content-range'), `bytes */${bytes.length}`);
    const etag = String(middle.answer.headers.get('etag'));
    const modified = String(middle.answer.headers.get('last-modified'));
    for (const [ifRange, status] of [
      ...([[etag, 206] as const, ['"other"', 200] as const, [`W/${etag}`, 200] as const] as const),
      ...([[modified, 206] as const, ['Thu, 01 Jan 2015 00:00:00 GMT', 200] as const] as const),
    ])
      assert.equal((await part({ range: 'bytes=0-9', 'if-range': ifRange })).answer.status, status, ifRange);
  });

  it('is not given of SQL', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 10);
    const answer = await fetch(`${rig.url}/download/shop`, { headers: { range: 'bytes=0-9' } });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('accept-ranges'), 'none');
    assert.match(await answer.text(), /endif\n$/);
  });
});
