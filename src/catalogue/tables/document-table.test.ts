import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { ApiToken } from '../../core/access.ts';
import { openSqliteCatalogue } from '../sqlite/sqlite-catalogue.ts';

test('a change is made of what stands at that moment, and brings nothing back that somebody removed', async (context) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-documents-'));
  const file = path.join(folder, 'catalogue.db');
  const [service, command] = [await openSqliteCatalogue({ file }), await openSqliteCatalogue({ file })];
  context.after(async () => {
    await Promise.all([service.close(), command.close()]);
    await rm(folder, { recursive: true });
  });
  const createdAt = new Date(0).toISOString();
  const token: ApiToken = { id: 'token-1', name: 'ci', role: 'viewer', hash: '00', createdAt };
  await service.tokens.put(token);
  const noted = (letter: string) => (found: ApiToken) => ({ ...found, name: found.name + letter });
  const letters = [...'abcdefgh'];
  await Promise.all(
    letters.map((letter, at) => (at % 2 === 0 ? service : command).tokens.change(token.id, noted(letter))),
  );
  const changed = await command.tokens.get(token.id);
  assert.deepEqual([...(changed?.name.slice(2) ?? '')].sort(), letters);
  await command.tokens.delete(token.id);
  assert.equal(await service.tokens.change(token.id, noted('i')), undefined);
  assert.deepEqual(await command.tokens.list(), []);
});
