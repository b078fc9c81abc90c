import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backupIdOf, laterCommitName, snapshotKey } from './snapshot-name.ts';

const ID = 'backup-01KAJ2Q5Z7M9T5W8N3V6X1R4DF';

test('each later commit of a backup has a name of its own, which tells the backup', () => {
  const names = new Set(Array.from({ length: 1000 }, () => laterCommitName(ID)));
  assert.equal(names.size, 1000);
  for (const name of names) {
    assert.notEqual(name, ID);
    assert.equal(backupIdOf(name), ID);
    assert.match(snapshotKey(name), /^snapshots\/backup-[0-9A-Z]{26}\.[0-9a-f]{16}$/);
  }
});

test('the first commit is named as its backup, whatever that is called', () => {
  for (const id of [ID, 'weekly.0123', 'weekly.0123456789ABCDEF']) assert.equal(backupIdOf(id), id);
});
