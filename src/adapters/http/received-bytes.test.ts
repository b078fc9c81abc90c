import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { receivedBody, receivedBytes } from './received-bytes.ts';

function requestOf(headers: Record<string, string>): IncomingMessage {
  return { headers } as unknown as IncomingMessage;
}

describe('receivedBody', () => {
  it('gives all bytes up to the limit', async () => {
    const body = Readable.from([Buffer.from('ab'), Buffer.from('cd')]);
    assert.equal((await receivedBody(requestOf({}), body, 4)).toString(), 'abcd');
    assert.equal((await receivedBody(requestOf({}), Readable.from([]), 4)).length, 0);
  });

  it('refuses a body that announces too much before reading it, and one that turns out too large', async () => {
    const unread = new Readable({ read: () => assert.fail('was read') });
    await assert.rejects(receivedBody(requestOf({ 'content-length': '5' }), unread, 4), { code: 'body-too-large' });
    const long = Readable.from([Buffer.from('abc'), Buffer.from('de')]);
    await assert.rejects(receivedBody(requestOf({}), long, 4), { code: 'body-too-large' });
  });
});

describe('receivedBytes', () => {
  it('gives up a sender that falls silent', async () => {
    const body = new PassThrough();
    body.write('a');
    const bytes = receivedBytes(body, 20);
    assert.equal((await bytes.next()).value?.toString(), 'a');
    await assert.rejects(bytes.next(), { code: 'upload-too-slow' });
  });

  it('does not count the time that the reader takes', async () => {
    const body = new PassThrough();
    body.end(Buffer.alloc(3));
    const bytes = receivedBytes(body, 20);
    await new Promise((resolve) => setTimeout(resolve, 40));
    assert.equal((await bytes.next()).value?.length, 3);
    assert.equal((await bytes.next()).done, true);
  });

  it('tells a broken connection from the end of the body', async () => {
    const body = new PassThrough();
    body.write('a');
    const bytes = receivedBytes(body);
    await bytes.next();
    body.destroy(new Error('aborted'));
    await assert.rejects(bytes.next(), { code: 'upload-broken' });
  });
});
