import assert from 'node:assert/strict';
import test from 'node:test';
import { requireKnownVersion } from './database-facts.ts';

test('servers before 10, whose catalogue lacks what is asked for, are refused with what to do', () => {
  requireKnownVersion({ version: '10.23', major: 10 });
  assert.throws(() => requireKnownVersion({ version: '9.6.24', major: 9 }), {
    code: 'postgresql-version',
    message:
      /PostgreSQL 9\.6\.24; databases are backed up from version 10 on\. Upgrade the server, or let its own pg_dump/,
  });
});
