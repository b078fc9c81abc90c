import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrustedProxy } from './trusted-proxy.ts';

test('a proxy is trusted by its address or network, however the address is written', () => {
  const proxy = new TrustedProxy({ addresses: ['127.0.0.1', '10.0.0.0/8', 'fd00::/8', '::1'] });
  for (const trusted of [
    '127.0.0.1',
    '::ffff:127.0.0.1',
    '10.255.0.1',
    '::ffff:10.0.0.1',
    'fd12::1',
    '::1',
    '0:0:0:0:0:0:0:1',
  ]) {
    assert.equal(proxy.includes(trusted), true, trusted);
  }
  for (const other of [
    '127.0.0.2',
    '11.0.0.1',
    'fe80::1',
    '::2',
    '',
    'localhost',
    '10.0.0.1:80',
    '10.0.0',
    undefined,
  ]) {
    assert.equal(proxy.includes(other), false, String(other));
  }
  assert.equal(new TrustedProxy().includes('127.0.0.1'), false, 'nobody is trusted who is not configured');
});
