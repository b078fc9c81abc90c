import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServerPlaces } from './server-places.ts';

const { signal } = new AbortController();

describe('places of throw-away servers', () => {
  it('are two, and go to those who wait in their order', async () => {
    const places = new ServerPlaces();
    const first = await places.take(signal);
    const second = await places.take(signal);
    const came: string[] = [];
    const third = places.take(signal).then((place) => {
      came.push('third');
      return place;
    });
    const fourth = places.take(signal).then(() => came.push('fourth'));
    await new Promise(setImmediate);
    assert.deepEqual(came, []);
    first.leave();
    // A second time frees nothing more.
    first.leave();
    await third;
    await new Promise(setImmediate);
    assert.deepEqual(came, ['third']);
    second.leave();
    await fourth;
    assert.deepEqual(came, ['third', 'fourth']);
  });

  it('are refused where many wait, and whoever leaves makes room for another', async () => {
    const places = new ServerPlaces();
    for (let at = 0; at < 2; at++) await places.take(signal);
    const ending = new AbortController();
    const impatient = places.take(ending.signal);
    for (let at = 0; at < 7; at++) void places.take(signal);
    await assert.rejects(places.take(signal), { kind: 'too-many', code: 'throw-away-servers-busy' });
    ending.abort(new Error('gone'));
    await assert.rejects(impatient, /gone/);
    let isRefused = false;
    void places.take(signal).catch(() => {
      isRefused = true;
    });
    await new Promise(setImmediate);
    assert.equal(isRefused, false);
  });

  it('know what the others may still write', async () => {
    const places = new ServerPlaces();
    const first = await places.take(signal);
    const second = await places.take(signal);
    first.want(100);
    second.want(7);
    assert.deepEqual([first.wantedByOthers, second.wantedByOthers], [7, 100]);
    first.leave();
    first.want(100);
    assert.equal(second.wantedByOthers, 0);
  });
});
