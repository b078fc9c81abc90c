import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from './access.ts';
import { principalByRules } from './grant-rules.ts';
import type { GrantRule } from './identity-configuration.ts';
import { scopedTo } from './role-scope.ts';

const NOW = new Date('2026-06-01T00:00:00Z');

function rule(changes: Partial<GrantRule>): GrantRule {
  return { subjects: ['group:dev'], role: 'developer', resources: ['shop'], variants: ['reduced'], ...changes };
}

test('a role on one resource is no role on another', () => {
  const rules = [
    rule({ role: 'operator', resources: ['wiki'], variants: ['raw'] }),
    rule({}),
    rule({ role: 'viewer', resources: ['mail-*'], variants: [] }),
  ];
  const principal = principalByRules(rules, { method: 'oidc', name: 'fred', groups: ['dev'] }, NOW);
  const seen = (role: Principal['role']) => {
    const scoped = scopedTo(principal, role);
    return [scoped.role, scoped.resources];
  };
  assert.deepEqual(seen('viewer'), ['viewer', ['wiki', 'shop', 'mail-*']]);
  assert.deepEqual(seen('developer'), ['developer', ['wiki', 'shop']]);
  assert.deepEqual(seen('operator'), ['operator', ['wiki']]);
  assert.equal(principal.role, 'operator');
  assert.equal(principal.grants?.length, 2, 'a viewer downloads nothing');
});

test('rules name people and groups, as the way they were known compares names', () => {
  const rules = [
    rule({ subjects: ['user:Fred'] }),
    rule({ subjects: ['group:Ops'], role: 'viewer', methods: ['ldap', 'oidc'] }),
  ];
  const roleOf = (method: 'ldap' | 'oidc' | 'proxy', name: string, groups: string[] = []) =>
    principalByRules(rules, { method, name, groups }, NOW).role;
  assert.equal(roleOf('ldap', 'fred'), 'developer');
  assert.equal(roleOf('oidc', 'Fred'), 'developer');
  assert.equal(roleOf('ldap', 'x', ['OPS']), 'viewer');
  assert.equal(roleOf('oidc', 'x', ['Ops']), 'viewer');
  const nothing = { code: 'nothing-granted' };
  assert.throws(() => roleOf('oidc', 'fred'), nothing, 'an issuer may know two people whose names differ in case');
  assert.throws(() => roleOf('oidc', 'x', ['ops']), nothing);
  assert.throws(() => roleOf('proxy', 'x', ['Ops']), nothing, 'the rule is for others');
  assert.throws(() => roleOf('ldap', 'group:Ops', ['user:Fred', 'Fred']), nothing);
});

test('a rule gives until it expires, and then nothing, to the moment', () => {
  const rules = [rule({ expiresAt: '2026-06-01T00:00:00.000Z' })];
  const caller = { method: 'proxy', name: 'fred', groups: ['dev'] } as const;
  const before = principalByRules(rules, caller, new Date(NOW.getTime() - 1));
  assert.deepEqual(before.grants, [
    { resources: ['shop'], variants: ['reduced'], expiresAt: '2026-06-01T00:00:00.000Z' },
  ]);
  assert.throws(() => principalByRules(rules, caller, NOW), { code: 'nothing-granted' });
});

test('all resources are all, beside whatever else is named', () => {
  const rules = [rule({}), rule({ role: 'admin', resources: ['*'], variants: ['raw'] })];
  const principal = principalByRules(rules, { method: 'oidc', name: 'fred', groups: ['dev'] }, NOW);
  assert.equal(scopedTo(principal, 'admin').resources, undefined);
  assert.equal(scopedTo(principal, 'viewer').resources, undefined);
});
