import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesAhead } from './copying-sessions.ts';

test('sessions of all databases read no more ahead than 32 MiB together, however they share the jobs', () => {
  for (let jobs = 1; jobs <= 32; jobs++)
    for (let names = 1; names <= 40; names++) {
      const [sessions, databases] = [Math.max(1, Math.floor(jobs / names)), Math.min(jobs, names)];
      const together = bytesAhead(sessions, databases) * sessions * databases;
      assert.ok(together <= 32 * 1024 * 1024, `${jobs} jobs, ${names} databases: ${together}`);
    }
});
