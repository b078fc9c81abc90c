import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialsOf } from './credentials.ts';

function basic(text: string | Buffer): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

test('a name ends at the first colon, and both parts may be of any script', () => {
  assert.deepEqual(credentialsOf(basic('fred:a:b: c')), { kind: 'password', name: 'fred', password: 'a:b: c' });
  assert.deepEqual(credentialsOf(basic('rené:пароль')), { kind: 'password', name: 'rené', password: 'пароль' });
  assert.deepEqual(credentialsOf(basic(':x').replace('Basic', 'bAsIc ')), {
    kind: 'password',
    name: '',
    password: 'x',
  });
  assert.deepEqual(credentialsOf(basic('\ufefffred:x')), { kind: 'password', name: '\ufefffred', password: 'x' });
  assert.deepEqual(credentialsOf(basic('fred:')), { kind: 'password', name: 'fred', password: '' });
});

test('a bearer is one word of a sensible length', () => {
  assert.deepEqual(credentialsOf('bearer  hf_x'), { kind: 'bearer', token: 'hf_x' });
  for (const none of ['Bearer', 'Bearer ', 'Bearer a b', `Bearer ${'x'.repeat(8193)}`, 'Bearer é', 'Bearerx']) {
    assert.equal(credentialsOf(none), undefined, none.slice(0, 20));
  }
});

test('what is neither is nobody', () => {
  const latin1 = Buffer.from('rené:x', 'latin1');
  const none = [undefined, '', 'Basic', 'Basic !!!', basic('no colon'), basic(latin1), basic('a\0b:x'), basic('a:x\n')];
  for (const each of [...none, `Basic ${'A'.repeat(9000)}`, 'Digest username="fred"', `${basic('a:b')} x`]) {
    assert.equal(credentialsOf(each), undefined, String(each).slice(0, 20));
  }
});
