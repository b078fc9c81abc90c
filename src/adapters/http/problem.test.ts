import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fastify from 'fastify';
import { pino } from 'pino';
import { type ErrorKind, HoldfastError } from '../../core/errors.ts';
import { problemOf, sendProblem, statusOf } from './problem.ts';

const REQUEST = { id: 'request-1', url: '/backups/x?secret=1' };

describe('the log', () => {
  it('holds what is the fault of the server, but not each stranger who could not be told from a friend', async (t) => {
    const lines: string[] = [];
    const server = fastify({ loggerInstance: pino({ level: 'error' }, { write: (line) => void lines.push(line) }) });
    t.after(() => server.close());
    server.decorateRequest('isKnown', false);
    server.setErrorHandler(sendProblem);
    server.get('/:kind/:isKnown', async (request) => {
      const { kind, isKnown } = request.params as { kind: ErrorKind; isKnown: string };
      request.isKnown = isKnown === 'true';
      throw new HoldfastError(kind, 'some-code', 'No.');
    });
    const logged = [];
    for (const url of ['/unavailable/true', '/unavailable/false', '/internal/false', '/invalid/true']) {
      await server.inject(url);
      logged.push(lines.splice(0).length);
    }
    assert.deepEqual(logged, [1, 0, 1, 0]);
  });
});

describe('problemOf', () => {
  it('gives each kind of failure its status', () => {
    const expected: Record<ErrorKind, number> = {
      invalid: 400,
      unauthenticated: 401,
      denied: 403,
      'not-found': 404,
      conflict: 409,
      cancelled: 409,
      'too-large': 413,
      unsupported: 422,
      'too-many': 429,
      'wrong-key': 500,
      damaged: 500,
      internal: 500,
      'no-repository': 503,
      locked: 503,
      unavailable: 503,
    };
    for (const [kind, status] of Object.entries(expected)) {
      assert.equal(statusOf(new HoldfastError(kind as ErrorKind, 'some-code', 'Some message.')), status, kind);
    }
    assert.equal(statusOf(new HoldfastError('unsupported', 'media-type-unsupported', 'No.')), 415);
  });

  it('tells what happened, with a stable code and the details, and nothing of the query', () => {
    const error = new HoldfastError('conflict', 'backup-held', 'The backup is held.', {
      details: { backupId: 'backup-1', status: 'overwritten?', code: 'overwritten?' },
    });
    assert.deepEqual(problemOf(error, REQUEST), {
      type: '/problems/backup-held',
      title: 'Conflict',
      status: 409,
      detail: 'The backup is held.',
      code: 'backup-held',
      instance: '/backups/x',
      requestId: 'request-1',
      backupId: 'backup-1',
    });
  });

  it('keeps the message of an unforeseen error to the log', () => {
    const problem = problemOf(new Error('password=hunter2 at /srv/secret'), REQUEST);
    assert.equal(problem.status, 500);
    assert.equal(problem.code, 'internal-error');
    assert.doesNotMatch(JSON.stringify(problem), /hunter2|srv/);
    assert.match(problem.detail, /request-1/);
  });

  it('says that the disk is full where it is', () => {
    const error = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    assert.equal(problemOf(error, REQUEST).status, 507);
    assert.equal(problemOf(error, REQUEST).code, 'disk-full');
  });
});
