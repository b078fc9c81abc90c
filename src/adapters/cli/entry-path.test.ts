import assert from 'node:assert/strict';
import test from 'node:test';
import { displayPath, pathMembers, typedPath } from './entry-path.ts';

const umlaut = Buffer.from('grün/\u001b', 'utf8').toString('latin1');

test('paths in UTF-8 are shown as text, without what a terminal would obey', () => {
  assert.equal(displayPath(umlaut), 'grün/\\x1b');
  assert.deepEqual(pathMembers(umlaut), { path: 'grün/\u001b' });
});

test('bytes that are no UTF-8 are shown escaped and kept exactly in JSON', () => {
  assert.equal(displayPath('caf\xe9'), 'caf\\xe9');
  assert.deepEqual(pathMembers('caf\xe9'), {
    path: 'caf\\xe9',
    pathBase64: Buffer.from('caf\xe9', 'latin1').toString('base64'),
  });
});

test('typed paths lose their slashes at both ends and become bytes', () => {
  assert.equal(typedPath('/srv//data/./x/'), 'srv/data/x');
  assert.equal(Buffer.from(typedPath('grün'), 'latin1').toString('utf8'), 'grün');
});
