import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BackupEnd, BackupEnds } from './backup-ends.ts';

test('a listener that throws keeps neither others nor the backup from its end, and the log is told', () => {
  const told: object[] = [];
  const nothing = (): void => undefined;
  const ends = new BackupEnds({
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: (facts) => void told.push(facts),
  });
  const fault = new Error('no more room');
  const heard: BackupEnd[] = [];
  ends.listen(() => {
    throw fault;
  });
  ends.listen((end) => heard.push(end));
  ends.publish({ type: 'full' });
  assert.deepEqual(heard, [{ type: 'full' }]);
  assert.deepEqual(told, [{ err: fault, backupId: undefined }]);
});
