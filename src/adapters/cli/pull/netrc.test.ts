import assert from 'node:assert/strict';
import { test } from 'node:test';
import { netrcEntry } from './netrc.ts';

const TEXT = `
# of our team
machine other.example.org login x password y
macdef init
machine backups.example.org login macro password wrong

machine backups.example.org
  login ada
  password "with \\"quotes\\" and blanks"
machine backups.example.org login bob password #hash
machine half.example.org login nobody
default login anonymous password guest
`;

test("the entry of a host is found, of one login if that is wanted, and else the file's default", () => {
  const ada = { login: 'ada', password: 'with "quotes" and blanks' };
  assert.deepEqual(netrcEntry(TEXT, 'backups.example.org'), ada);
  assert.deepEqual(netrcEntry(TEXT, 'Backups.Example.ORG', 'ada'), ada);
  assert.deepEqual(netrcEntry(TEXT, 'backups.example.org', 'bob'), { login: 'bob', password: '#hash' });
  assert.deepEqual(netrcEntry(TEXT, 'unknown.example.org'), { login: 'anonymous', password: 'guest' });
  assert.equal(netrcEntry(TEXT, 'unknown.example.org', 'ada'), undefined);
  assert.equal(netrcEntry('machine a password', 'a'), undefined);
  assert.equal(netrcEntry('', 'a'), undefined);
});
