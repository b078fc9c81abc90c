import assert from 'node:assert/strict';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { foreignFolder } from './foreign-folder.ts';

test('root is warned before it writes into the data folder of another account', {
  skip: process.getuid?.() === 0 ? false : 'only root may give a folder away',
}, async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-foreign-folder-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  assert.equal(foreignFolder(folder, 0), undefined, "root's own");
  await chown(folder, 12_345, 12_345);
  assert.match(foreignFolder(folder, 0) ?? '', /belongs to user 12345, .* sudo -u '#12345' holdfast/);
  assert.equal(foreignFolder(folder, 12_345), undefined, 'its owner');
  assert.equal(foreignFolder(folder, 54_321), undefined, 'an account with an access list');
  assert.equal(foreignFolder(join(folder, 'new'), 0), undefined, 'what is yet to be made');
});
