import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HoldfastError } from '../../core/errors.ts';
import { type GuardedRequest, guardAgainstStrangers, isLoopbackHost } from './browser-guard.ts';

function refusal(request: Partial<GuardedRequest>, allowedHosts: readonly string[] = []): string {
  try {
    guardAgainstStrangers(
      { method: 'POST', headers: { host: 'localhost:3004' }, address: '127.0.0.1', isOpenRoute: false, ...request },
      allowedHosts,
    );
  } catch (error) {
    return (error as HoldfastError).code;
  }
  return 'passed';
}

describe('the guard of a port without credentials', () => {
  it('lets programs of this machine pass, whatever loopback name they use', () => {
    for (const host of ['localhost', 'localhost:3004', 'LOCALHOST:1', '127.0.0.1:3004', '127.8.8.8', '[::1]:3004']) {
      assert.equal(refusal({ headers: { host } }), 'passed', host);
    }
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) assert.equal(refusal({ address }), 'passed');
  });

  it('refuses peers elsewhere', () => {
    for (const address of ['10.0.0.7', '::ffff:192.168.1.2', 'fe80::1', '1127.0.0.1', undefined]) {
      assert.equal(refusal({ address }), 'not-loopback');
    }
  });

  it('refuses names that were made to resolve to loopback', () => {
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'a b',
      '',
      '::1',
      undefined,
    ]) {
      assert.equal(refusal({ headers: { host } }), 'host-not-allowed', String(host));
    }
    assert.equal(refusal({ headers: { host: 'backups.lan:3004' } }, ['backups.lan']), 'passed');
  });

  it('refuses what pages of other sites cause', () => {
    const host = 'localhost:3004';
    for (const origin of [
      'https://evil.example',
      'null',
      'http://localhost:8080',
      'http://localhost:3004.evil.example',
    ]) {
      assert.equal(refusal({ headers: { host, origin } }), 'cross-site-request', origin);
    }
    for (const site of ['cross-site', 'same-site']) {
      assert.equal(refusal({ method: 'GET', headers: { host, 'sec-fetch-site': site } }), 'cross-site-request');
    }
    assert.equal(
      refusal({ headers: { host, origin: 'http://localhost:3004', 'sec-fetch-site': 'same-origin' } }),
      'passed',
    );
    assert.equal(refusal({ headers: { host, 'sec-fetch-site': 'none' } }), 'passed');
  });

  it('lets a link from elsewhere lead to an open page, and to nothing else', () => {
    const headers = { host: 'localhost:3004', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    assert.equal(refusal({ method: 'GET', headers, isOpenRoute: true }), 'passed');
    assert.equal(refusal({ method: 'GET', headers }), 'cross-site-request');
    assert.equal(refusal({ method: 'POST', headers, isOpenRoute: true }), 'cross-site-request');
  });

  it('refuses what a proxy passed on from elsewhere', () => {
    const host = 'localhost:3004';
    assert.equal(refusal({ headers: { host, 'x-forwarded-for': '203.0.113.9' } }), 'forwarded-without-credentials');
    assert.equal(refusal({ headers: { host, forwarded: 'for=203.0.113.9' } }), 'forwarded-without-credentials');
  });
});

describe('isLoopbackHost', () => {
  it('knows which hosts may be listened on without credentials', () => {
    for (const host of ['localhost', '127.0.0.1', '::1', '[::1]']) assert.equal(isLoopbackHost(host), true);
    for (const host of ['0.0.0.0', '::', '192.168.1.2', 'example.org']) assert.equal(isLoopbackHost(host), false);
  });
});
