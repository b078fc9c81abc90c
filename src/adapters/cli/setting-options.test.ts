import assert from 'node:assert/strict';
import test from 'node:test';
import { configurationOf, parseSetting } from './setting-options.ts';

function settings(...texts: string[]) {
  return { set: texts.map(parseSetting) };
}

test('settings are JSON where they are JSON and text elsewhere, dots lead inwards, and += adds to lists', async () => {
  const made = await configurationOf(
    settings('c.host=db', 'c.port=5432', 'c.url=a=b', 'on=true', 'id="7"', 'zip=007', 'all=["x"]', 'all+=y', 'one+=z'),
  );
  assert.deepEqual(made, {
    c: { host: 'db', port: 5432, url: 'a=b' },
    ...{ on: true, id: '7', zip: '007', all: ['x', 'y'], one: ['z'] },
  });
  const earlier = { c: { host: 'db', port: 1 }, all: ['x'] };
  const changed = await configurationOf(
    { ...settings('c.port=2', 'all+=y'), unset: ['c.host', 'none.inside'] },
    earlier,
  );
  assert.deepEqual(changed, { c: { port: 2 }, all: ['x', 'y'] });
  assert.deepEqual(earlier, { c: { host: 'db', port: 1 }, all: ['x'] });
});

test('settings that make no sense are refused, and reach no prototype', async () => {
  for (const text of ['host', '=x', 'a..b=1', '__proto__.x=1', 'a.__proto__=1']) {
    assert.throws(() => parseSetting(text), { code: 'commander.invalidArgument' }, text);
  }
  await assert.rejects(configurationOf(settings('a=1', 'a.b=2')), /nothing can be set inside/);
  await assert.rejects(configurationOf(settings('a=1', 'a+=2')), /is no list/);
  assert.deepEqual(await configurationOf(settings('constructor.x=1')), { constructor: { x: 1 } });
});
