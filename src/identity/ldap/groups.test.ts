import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterFor } from './filter.ts';
import { groupsByMembership } from './groups.ts';

test('only groups below the configured base are known by their short names', () => {
  const base = 'ou=Groups, dc=example,dc=org';
  const known = (dn: string) => groupsByMembership([dn], base);
  assert.deepEqual(known('cn=ops,ou=groups,dc=example,dc=org'), ['cn=ops,ou=groups,dc=example,dc=org', 'ops']);
  assert.deepEqual(known('CN = ops , ou=x , OU=GROUPS,DC=example,dc=org').at(-1), 'ops');
  for (const elsewhere of [
    'cn=ops,ou=teams,dc=example,dc=org',
    'cn=ops,xou=groups,dc=example,dc=org',
    'cn=ops\\,ou=groups,dc=example,dc=org',
    'cn=ops,cn=a\\,ou=groups,dc=example,dc=org',
    'ou=groups,dc=example,dc=org',
    'cn=a\\2cops,ou=groups,dc=example,dc=org',
    'cn=ops+uid=1,ou=groups,dc=example,dc=org',
  ]) {
    assert.deepEqual(known(elsewhere), [elsewhere], elsewhere);
  }
});

test('values in a filter say nothing but themselves', () => {
  assert.equal(filterFor('(uid={name})', { name: 'rené' }), '(uid=rené)');
  assert.equal(filterFor('(uid={name})', { name: '*)(uid=*\\\0' }), '(uid=\\2a\\29\\28uid\\3d\\2a\\5c\\00)');
  assert.equal(filterFor('({name}{dn})', { name: '{dn}', dn: 'x' }), '(\\7bdn\\7dx)');
});
