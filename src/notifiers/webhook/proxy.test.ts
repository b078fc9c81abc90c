import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { proxyFor } from './proxy.ts';

const PROXY = 'http://proxy.example.org:3128';

describe('the proxy of an address', () => {
  test('is that of its protocol; small letters come first', () => {
    const both = { HTTPS_PROXY: 'http://one:1', HTTP_PROXY: 'http://two:2' };
    assert.equal(placeOf('https://a.example', both), 'one:1');
    assert.equal(placeOf('http://a.example', both), 'two:2');
    assert.equal(placeOf('https://a.example', { ...both, https_proxy: 'http://small:3' }), 'small:3');
    assert.equal(placeOf('https://a.example', { ...both, https_proxy: '' }), undefined);
    assert.equal(placeOf('https://a.example', { HTTP_PROXY: PROXY }), undefined);
    assert.equal(placeOf('https://a.example', { HTTPS_PROXY: 'proxy:8080' }), 'proxy:8080');
  });

  test('is none for this machine itself', () => {
    for (const host of ['localhost', 'a.localhost', '127.0.0.1', '127.9.9.9', '[::1]'])
      assert.equal(placeOf(`https://${host}:8443/`, { HTTPS_PROXY: PROXY }), undefined, host);
  });

  test('is none for what NO_PROXY names: domains and all below them, addresses, networks, ports', () => {
    for (const [list, host] of [
      ['*', 'a.example'],
      ['other, example.org', 'example.org'],
      ['example.org', 'hooks.example.org'],
      ['.example.org', 'hooks.example.org'],
      ['*.example.org', 'hooks.example.org'],
      ['Example.ORG.', 'hooks.example.org'],
      ['hooks.example.org:8443', 'hooks.example.org:8443'],
      ['10.1.2.3', '10.1.2.3'],
      ['10.0.0.0/8', '10.1.2.3'],
      ['fd00::/8', '[fd00::1]'],
      ['fd00::1', '[fd00::1]'],
    ] as const)
      assert.equal(placeOf(`https://${host}/`, { HTTPS_PROXY: PROXY, no_proxy: list }), undefined, `${list} ${host}`);
  });

  test('stays that for all else', () => {
    for (const [list, host] of [
      ['', 'a.example'],
      [',', 'a.example'],
      ['example.org', 'badexample.org'],
      ['hooks.example.org', 'example.org'],
      ['hooks.example.org:8443', 'hooks.example.org'],
      ['10.0.0.0/8', '11.1.2.3'],
      ['10.0.0.0/99', '10.1.2.3'],
      ['1.2.3', '10.1.2.3'],
      ['10.0.0.0/8', 'ten.example'],
    ] as const)
      assert.equal(placeOf(`https://${host}/`, { HTTPS_PROXY: PROXY, NO_PROXY: list }), 'proxy.example.org:3128', list);
  });
});

function placeOf(url: string, environment: Record<string, string>): string | undefined {
  return proxyFor(new URL(url), environment)?.place;
}
