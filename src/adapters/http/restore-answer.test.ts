import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RestoreOperation } from '../../core/application.ts';
import { restoreAnswer } from './restore-answer.ts';

const OPERATION: RestoreOperation = {
  warnings: [],
  createdBy: 'admin',
  completedAt: '2025-01-01T13:00:10.000Z',
  createdAt: '2025-01-01T13:00:00.000Z',
  progress: 100,
  validationErrors: [],
  validated: true,
  status: 'completed',
  type: 'full',
  targetResourceId: 'database-1-restored',
  backupId: 'backup-1',
  id: 'restore-1',
};

describe('restoreAnswer', () => {
  it('puts the document into the answer as it is, numbers that no double holds included', () => {
    const text = restoreAnswer(OPERATION, Buffer.from('{"big":12345678901234567890,"__proto__":1}')).toString();
    assert.match(text, /^\{"operation":\{"id":"restore-1","backupId":"backup-1","targetResourceId":/);
    assert.ok(text.endsWith(',"data":{"big":12345678901234567890,"__proto__":1}}\n'));
    assert.doesNotThrow(() => JSON.parse(text));
  });

  it('leaves data out where there is none', () => {
    assert.deepEqual(Object.keys(JSON.parse(restoreAnswer(OPERATION, undefined).toString())), ['operation']);
  });

  it('gives the operation the fields of the documented example, in its order', () => {
    const { operation } = JSON.parse(restoreAnswer(OPERATION, undefined).toString());
    assert.deepEqual(Object.keys(operation).slice(0, 11), [
      'id',
      'backupId',
      'targetResourceId',
      'type',
      'status',
      'validated',
      'validationErrors',
      'progress',
      'createdAt',
      'completedAt',
      'createdBy',
    ]);
  });
});
