import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startDownloads } from './download-rig.ts';

/** So many at once are given copies in small slices, which are freed when they were sent. */
const CROWD = 24;
/** Compresses, and has no part twice. */
const TEXT = Buffer.from(
  Array.from({ length: 80_000 }, (_, id) => `${id},${(id * 2654435761) % 4294967296},it is fine\n`).join(''),
);

describe('many downloads at once', () => {
  it('are each whole, as they are, coded and in part', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', TEXT);
    const take = async (headers: Record<string, string>): Promise<Buffer> => {
      const answer = await fetch(`${rig.url}/download/shop`, {
        headers: { 'accept-encoding': 'identity', ...headers },
      });
      assert.ok(answer.ok, `${answer.status}`);
      return Buffer.from(await answer.arrayBuffer());
    };
    const kinds: [Record<string, string>, Buffer][] = [
      [{}, TEXT],
      [{ 'accept-encoding': 'gzip' }, TEXT],
      [{ range: 'bytes=1000-' }, TEXT.subarray(1000)],
    ];
    const all = Array.from({ length: CROWD }, (_, index) => kinds[index % kinds.length] as (typeof kinds)[number]);
    const outcomes = await Promise.all(all.map(async ([headers, expected]) => (await take(headers)).equals(expected)));
    assert.ok(outcomes.every((isWhole) => isWhole));
  });
});
