import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { CONTENT, outcome, startTickets } from './tickets-rig.ts';

const RAW = { resource: 'shop', variant: 'raw', reason: 'ticket 4711' };

describe('what is kept of a ticket', () => {
  it('is who asked for it and what came of it, in the audit log', async (t) => {
    const rig = await startTickets(t);
    const backup = await rig.upload('shop');
    const ticket = await rig.ticket(await rig.token('fred'), RAW);
    await outcome(ticket.url);
    await outcome(ticket.url);
    await outcome(`${rig.url}/t/unknown`);
    const [made, ...others] = await rig.audits('ticket.create');
    assert.deepEqual(others, []);
    assert.deepEqual([made!.actor, made!.subject, made!.outcome], ['fred', ticket.id, 'success']);
    const facts = { resource: 'shop', variant: 'raw', reason: 'ticket 4711', backup, format: 'bytes' };
    const { requestId: _made, ...details } = made!.details;
    assert.deepEqual(details, { status: 201, method: 'token', ...facts, expiresAt: ticket.expiresAt });
    const [given, again, unknown, ...more] = await rig.audits('download.get');
    assert.deepEqual(more, []);
    assert.deepEqual([given!.actor, given!.subject, given!.outcome], ['fred', backup, 'success']);
    const { requestId: _given, seconds: _seconds, ...gave } = given!.details;
    const byTicket = { method: 'ticket', ticket: ticket.id, givenBy: 'fred' };
    assert.deepEqual(gave, { status: 200, ...byTicket, ...facts, outcome: 'complete', bytes: CONTENT.length });
    assert.deepEqual([again!.actor, again!.outcome], ['anonymous', 'failure'], 'nobody knows who that was');
    assert.deepEqual([again!.details.ticket, again!.details.fault], [ticket.id, 'used']);
    assert.deepEqual([unknown!.details.ticket, unknown!.details.fault], [undefined, 'unknown']);
  });

  it('is little of what whoever holds one only asks for', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const { url } = await rig.ticket(await rig.token('fred'), RAW);
    for (let count = 0; count < 70; count++)
      assert.equal((await fetch(url, { headers: { 'if-none-match': '*' } })).status, 304);
    assert.equal((await rig.audits('download.get')).length, 60, 'strangers must not fill the disk');
    assert.deepEqual(await outcome(url), [200, CONTENT]);
    assert.equal((await rig.audits('download.get')).at(-1)!.details.outcome, 'complete', 'but this is kept');
  });

  it('is never the ticket: not in logs, errors, metrics, the audit log or the catalogue', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const fred = await rig.token('fred');
    const used = await rig.ticket(fred, RAW);
    const open = await rig.ticket(fred, { resource: 'shop' });
    const secrets = [used, open].map(({ path: at }) => at.slice('/t/'.length));
    const bodies: string[] = [];
    const call = async (url: string, init: RequestInit = {}) => bodies.push(await (await fetch(url, init)).text());
    await call(used.url);
    rig.maker.refusal = new Error('not foreseen');
    for (const { url } of [used, open])
      for (const init of [
        {},
        { method: 'POST' },
        { method: 'DELETE', headers: { accept: 'application/json' } },
        { headers: { accept: 'application/json', range: 'bytes=9999-' } },
      ])
        for (const suffix of ['', '/', '?a=b', '/more', '%E0']) await call(`${url}${suffix}`, init);
    bodies.push(await (await fetch(`${rig.url}/metrics`, { headers: await adminOf(rig) })).text());
    const audits = JSON.stringify((await rig.application.audit.page({}, { limit: 1000 })).items);
    const { dataFolder } = rig.configuration;
    assert.ok(rig.logged.join('').includes('request failed'), 'this is where it would be');
    const files = ['catalogue.sqlite', 'catalogue.sqlite-wal'].map((name) => readFile(path.join(dataFolder, name)));
    const stored = Buffer.concat(await Promise.all(files)).toString('latin1');
    assert.ok(stored.includes(used.id), 'this is where it would be');
    for (const secret of secrets)
      for (const [where, text] of Object.entries({
        audits,
        stored,
        logs: rig.logged.join(''),
        answers: bodies.join(''),
      }))
        assert.ok(!text.includes(secret), where);
  });

  it('is forgotten after an hour', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const fred = await rig.token('fred');
    const { path: at } = await rig.ticket(fred, RAW);
    const { hash } = await rig.application.tickets.find(at.slice('/t/'.length));
    rig.advance(59 * 60_000);
    await rig.ticket(fred, RAW);
    assert.ok(await rig.catalogue.tickets.get(hash));
    rig.advance(2 * 60_000);
    await rig.ticket(fred, RAW);
    assert.equal(await rig.catalogue.tickets.get(hash), undefined);
  });
});

async function adminOf(rig: Awaited<ReturnType<typeof startTickets>>): Promise<Record<string, string>> {
  const { token } = await rig.application.access.createToken({ name: 'admin', role: 'admin' });
  return { authorization: `Bearer ${token}` };
}
