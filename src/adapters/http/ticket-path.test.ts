import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ticketPath, withoutTickets } from './ticket-path.ts';

test('no text that may be shown holds a ticket', () => {
  const secret = randomBytes(32).toString('base64url');
  for (const text of [
    ticketPath(secret),
    `${ticketPath(secret)}?a=b`,
    `${ticketPath(secret)}/`,
    `/t//${secret}`,
    `/t/x/${secret}`,
    `There is nothing at POST ${ticketPath(secret)}.`,
    `'${ticketPath(secret)}%zz' is not a valid url component`,
  ])
    assert.ok(!withoutTickets(text).includes(secret), text);
});

test('all else stays as it is', () => {
  for (const text of ['/', '/tickets', '/t', '/download/t/x', '/resources/t/y', 'GET /backups/1'])
    assert.equal(withoutTickets(text), text);
});
