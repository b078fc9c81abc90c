import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Application } from '../../../core/application.ts';
import type { Operation } from '../../../core/operation.ts';
import type { CommandSession } from '../command-session.ts';
import { runNow } from './run-now.ts';

const OPERATION = { id: 'operation-1', kind: 'backup', status: 'failed', progress: { percent: 0 } } as Operation;

describe('a schedule that is run now', () => {
  function sessionOf(recordRun: () => Promise<void>) {
    const warnings: string[] = [];
    const error = { code: 'source-gone', message: 'The source is gone.', kind: 'unavailable' } as const;
    const application = {
      schedules: { get: async (id: string) => ({ id, resourceId: 'shop', kind: 'backup' }), recordRun },
      backups: { start: async () => OPERATION },
      operations: {
        async *watch() {
          yield { ...OPERATION, error };
        },
      },
    };
    const session = {
      application: async () => application as unknown as Application,
      actor: 'test',
      signal: new AbortController().signal,
      output: { options: { quiet: true }, warn: (message: string) => void warnings.push(message) },
    };
    return { session: session as unknown as CommandSession, warnings };
  }

  it('is recorded also where its backup fails, and the failure of the backup is told', async () => {
    let recorded = 0;
    const { session, warnings } = sessionOf(async () => void recorded++);
    await assert.rejects(runNow(session, 'nightly'), { code: 'source-gone' });
    assert.deepEqual([recorded, warnings], [1, []]);
  });

  it('fails with what the backup failed with where that cannot be recorded either', async () => {
    const { session, warnings } = sessionOf(() => Promise.reject(new Error('the catalogue is busy')));
    await assert.rejects(runNow(session, 'nightly'), { code: 'source-gone' });
    assert.deepEqual(warnings, ['The schedule "nightly" does not know that it ran: the catalogue is busy']);
  });
});
