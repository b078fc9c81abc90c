import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { test } from 'node:test';
import { systemFault } from './system-fault.ts';

test('what the system refused is told with the place, the account and what to do', () => {
  const refused = systemFault(failing('EACCES', '/srv/data/repository'));
  assert.equal(refused?.code, 'permission-denied');
  assert.equal(
    refused?.message,
    `/srv/data/repository may not be used by the account ${userInfo().username}. Run this as the account that it belongs to, or give the account ${userInfo().username} the right.`,
  );
  const listening = Object.assign(new Error('listen EACCES: permission denied 0.0.0.0:80'), { code: 'EACCES' });
  assert.match(systemFault(listening)?.message ?? '', /0\.0\.0\.0:80/);
  assert.equal(systemFault(failing('ENOSPC', '/srv/data/tmp'))?.code, 'disk-full');
  assert.equal(systemFault(failing('EROFS', '/srv/data'))?.code, 'file-system-read-only');
  assert.equal(systemFault(failing('ENOTDIR', '/etc/passwd/repository'))?.code, 'not-a-folder');
});

test('what nobody can do anything about stays unforeseen', () => {
  assert.equal(systemFault(failing('EINVAL', '/srv')), undefined);
  assert.equal(systemFault(new TypeError('x is not a function')), undefined);
  assert.equal(systemFault('thrown'), undefined);
});

function failing(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: it failed, open '${path}'`), { code, path });
}
