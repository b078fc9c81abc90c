import assert from 'node:assert/strict';
import test from 'node:test';
import { pathMatcher } from './path-matcher.ts';

const PATHS = ['etc', 'etc/nginx/nginx.conf', 'etc/hosts', 'srv/dump.sql', 'srv/a/b/dump-2.sql', 'srv/[x].sql'];
const found = (pattern: string) => PATHS.filter(pathMatcher(pattern));

test('a pattern without a slash is matched against names', () => {
  assert.deepEqual(found('*.sql'), ['srv/dump.sql', 'srv/a/b/dump-2.sql', 'srv/[x].sql']);
  assert.deepEqual(found('dump?2.sql'), ['srv/a/b/dump-2.sql']);
  assert.deepEqual(found('hosts'), ['etc/hosts']);
});

test('a pattern with a slash is matched against whole paths', () => {
  assert.deepEqual(found('/srv/*.sql'), ['srv/dump.sql', 'srv/[x].sql']);
  assert.deepEqual(found('srv/**/dump*.sql'), ['srv/dump.sql', 'srv/a/b/dump-2.sql']);
});

test('alternatives and classes work', () => {
  assert.deepEqual(found('*.{conf,cfg}'), ['etc/nginx/nginx.conf']);
  assert.deepEqual(found('h[a-o]sts'), ['etc/hosts']);
});
