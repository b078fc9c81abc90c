import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { ticketSchema } from '../src/adapters/http/schemas/ticket-schema.ts';
import { eventually } from './eventually.ts';
import { CONTENT, MASKED, outcome, startTickets } from './tickets-rig.ts';
import { DUMP } from './variants-rig.ts';

const NONE: [number, string] = [404, 'ticket-not-found'];
const RAW = { resource: 'shop', variant: 'raw', reason: 'ticket 4711' };

describe('a ticket', () => {
  it('gives whoever holds it just what was asked for, once', async (t) => {
    const rig = await startTickets(t);
    const first = await rig.upload('shop');
    const fred = await rig.token('fred');
    const answer = await rig.ask(fred, { resource: 'shop' });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.equal(answer.headers.get('location'), null);
    const ticket = ticketSchema.parse(await answer.json());
    assert.match(ticket.path, /^\/t\/[A-Za-z0-9_-]{43}$/);
    assert.equal(ticket.url, `${rig.url}${ticket.path}`);
    assert.equal(ticket.command, `curl -fsS -OJ ${ticket.url}`);
    assert.equal(Date.parse(ticket.expiresAt) - Date.parse(ticket.createdAt), 600_000);
    assert.deepEqual([ticket.backup, ticket.variant, ticket.format], [first, 'masked', 'bytes']);
    await rig.upload('shop', 'newer\n');

    const given = await fetch(ticket.url);
    assert.deepEqual([given.status, await given.text()], [200, MASKED]);
    assert.equal(given.headers.get('x-snapshot-id'), first);
    assert.equal(given.headers.get('cache-control'), 'private, no-store');
    assert.equal(given.headers.get('referrer-policy'), 'no-referrer');
    assert.deepEqual(await outcome(ticket.url), NONE);
    assert.deepEqual(await outcome(ticket.url, fred), NONE, 'nor for its owner');
  });

  it('is given to one alone of many who come at once', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop', 'x'.repeat(3_000_000));
    const { url } = await rig.ticket(await rig.token('fred'), RAW);
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => outcome(url)));
    assert.equal(outcomes.filter(([status, text]) => status === 200 && text.length === 3_000_000).length, 1);
    assert.equal(outcomes.filter(([, code]) => code === 'ticket-not-found').length, 11);
  });

  it('is good for some minutes only, as many as are configured', async (t) => {
    const rig = await startTickets(t, { downloads: { ticketMinutes: 3 } });
    await rig.upload('shop');
    const { url } = await rig.ticket(await rig.token('fred'), RAW);
    rig.advance(3 * 60_000 - 5000);
    assert.equal((await fetch(url, { method: 'HEAD' })).status, 200);
    rig.advance(5001);
    assert.deepEqual(await outcome(url), NONE);
    assert.equal((await fetch(url, { method: 'HEAD' })).status, 404);
  });

  it('is not used up by who only looks, nor by what fails before the first byte', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const { url } = await rig.ticket(await rig.token('fred'), RAW);
    const head = await fetch(url, { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers.get('content-length')], [200, String(CONTENT.length)]);
    const etag = head.headers.get('etag')!;
    assert.equal((await fetch(url, { headers: { 'if-none-match': etag } })).status, 304);
    assert.deepEqual(await outcome(url, { range: 'bytes=1000-' }), [416, 'range-not-satisfiable']);
    assert.deepEqual(await outcome(`${url}?utm=1`), [400, 'request-invalid']);
    assert.deepEqual(await outcome(url), [200, CONTENT]);
  });

  it('is not used up by who has gone before there was something to give', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const { url, path } = await rig.ticket(await rig.token('fred'), RAW);
    const { tickets } = rig.application;
    const gone = new AbortController();
    const redeemed = await tickets.redeem(await tickets.find(path.slice('/t/'.length)), undefined, gone.signal);
    gone.abort();
    await assert.rejects(redeemed.take(), { name: 'AbortError' });
    assert.deepEqual(await outcome(url), [200, CONTENT]);
  });

  it('waits for a copy that has to be made first, as long as it lives', async (t) => {
    const rig = await startTickets(t);
    rig.maker.declare('shop', { reduced: { kind: 'reduced' } });
    await rig.upload('shop');
    const { url, variant } = await rig.ticket(await rig.token('fred'), { resource: 'shop' });
    assert.equal(variant, 'reduced');
    rig.maker.hold();
    assert.deepEqual(await outcome(url, { prefer: 'wait=1' }), [409, 'variant-being-made']);
    rig.maker.release();
    assert.deepEqual(await outcome(url), [200, MASKED]);
    assert.deepEqual(await outcome(url), NONE);
  });

  it('is expired for who began to wait while it lived, and says so to the audit log', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const { url } = await rig.ticket(await rig.token('fred'), { resource: 'shop' });
    const { find } = rig.application.downloads;
    let looks = 0;
    rig.application.downloads.find = (...given) => {
      // What it is for is found, and the first piece takes all the minutes.
      if (++looks === 2) rig.advance(600_001);
      return find.apply(rig.application.downloads, given);
    };
    assert.deepEqual(await outcome(url), NONE);
    assert.equal((await rig.audits('download.get'))[0]!.details.fault, 'expired');
  });

  it('leaves nothing open of those who came too late', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const { url } = await rig.ticket(await rig.token('fred'), { resource: 'shop' });
    rig.maker.hold();
    let refused = 0;
    const coming = Array.from({ length: 6 }, async () => {
      const [status, text] = await outcome(url);
      if (status === 404) refused++;
      return [status, text];
    });
    await eventually(() => refused === 5, 'Others than one were let in.');
    await eventually(() => rig.maker.open === 1, 'What was begun for them is not ended.');
    rig.maker.release();
    assert.deepEqual(
      (await Promise.all(coming)).filter(([status]) => status === 200),
      [[200, MASKED]],
    );
    await eventually(() => rig.maker.open === 0, 'The download is not ended.');
  });

  it('may give a range, and then nothing more: who was cut off goes on with another ticket of the same', async (t) => {
    const rig = await startTickets(t);
    const backup = await rig.upload('shop');
    const fred = await rig.token('fred');
    const one = await rig.ticket(fred, { ...RAW, backup });
    const begun = await fetch(one.url, { headers: { range: 'bytes=0-3' } });
    const etag = begun.headers.get('etag')!;
    assert.deepEqual([begun.status, await begun.text()], [206, CONTENT.slice(0, 4)]);
    assert.deepEqual(await outcome(one.url, { range: 'bytes=4-', 'if-range': etag }), NONE);
    const other = await rig.ticket(fred, { ...RAW, backup });
    const rest = { range: 'bytes=4-', 'if-range': etag };
    assert.deepEqual(await outcome(other.url, rest), [206, CONTENT.slice(4)]);
  });

  it('that nobody was given is answered like a used one', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const { url } = await rig.ticket(await rig.token('fred'), RAW);
    await outcome(url);
    const told = async (at: string) => {
      const answer = await fetch(at, { headers: { accept: 'application/json' } });
      const { requestId: _id, ...problem } = (await answer.json()) as Record<string, unknown>;
      return [answer.status, problem];
    };
    const used = await told(url);
    for (const unknown of [randomBytes(32).toString('base64url'), 'x', 'x'.repeat(300), '..%2f..'])
      assert.deepEqual(await told(`${rig.url}/t/${unknown}`), used);
  });

  it('that is refused makes a client of a database fail', async (t) => {
    const rig = await startTickets(t);
    const answer = await fetch(`${rig.url}/t/${randomBytes(32).toString('base64url')}`);
    assert.equal(answer.status, 404);
    assert.match(answer.headers.get('content-type') ?? '', /application\/sql/);
    assert.match(await answer.text(), /404 ticket-not-found/);
  });

  it('is given to whoever may download that, and to nobody else', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const masked = await rig.token('masked', [{ resources: ['shop'], variants: ['masked'] }]);
    assert.equal((await rig.ask({}, RAW)).status, 401);
    for (const body of [RAW, { ...RAW, resource: 'other' }, { ...RAW, resource: 'absent' }])
      assert.equal((await rig.ask(masked, body)).status, 404);
    assert.equal((await rig.ticket(masked, { resource: 'shop' })).variant, 'masked');
    const code = async (body: object) => ((await (await rig.ask(masked, body)).json()) as { code: string }).code;
    assert.equal(await code({ resource: 'shop', at: '-1d', backup: 'x' }), 'download-choice-invalid');
    assert.equal(await code({ resource: 'shop', format: 'zip' }), 'format-not-offered');
    assert.equal(await code({ resource: 'shop', unknown: 1 }), 'request-invalid');
    // The audit log keeps them for ever.
    const parts = Array.from({ length: 100 }, () => 'x'.repeat(201));
    for (const field of ['tables', 'paths'])
      assert.equal(await code({ resource: 'shop', [field]: parts }), 'request-invalid', field);
  });

  it('of the data itself needs that word and a reason, also where raw is the default', async (t) => {
    const rig = await startTickets(t, { downloads: { defaultVariant: 'raw' } });
    await rig.upload('plain');
    const fred = await rig.token('fred');
    const code = async (body: object) => ((await (await rig.ask(fred, body)).json()) as { code: string }).code;
    assert.equal(await code({ resource: 'plain', reason: 'why' }), 'variant-needed');
    assert.equal(await code({ resource: 'plain', variant: 'raw' }), 'reason-needed');
    assert.equal(await code({ resource: 'plain', variant: 'raw', reason: '  ' }), 'reason-needed');
    const { url } = await rig.ticket(fred, { resource: 'plain', variant: 'raw', reason: 'why' });
    assert.deepEqual(await outcome(url), [200, CONTENT]);
  });

  it('counts among the downloads of its owner, and waits where these are too many', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const grants = [{ resources: ['shop'], variants: ['raw'], limits: { downloadsPerHour: 1 } }];
    const fred = await rig.token('fred', grants);
    const [one, other] = [await rig.ticket(fred, RAW), await rig.ticket(fred, RAW)];
    assert.deepEqual(await outcome(one.url), [200, CONTENT]);
    assert.deepEqual(await outcome(other.url), [429, 'download-limit-reached']);
    assert.deepEqual(await outcome(`${rig.url}/download/shop?variant=raw`, fred), [429, 'download-limit-reached']);
  });

  it('is one of so many that a caller may have open', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const [fred, anna] = [await rig.token('fred'), await rig.token('anna')];
    const urls: string[] = [];
    for (let count = 0; count < 50; count++) urls.push((await rig.ticket(fred, RAW)).url);
    const refused = await rig.ask(fred, RAW);
    assert.equal(refused.status, 429);
    const seconds = Number(refused.headers.get('retry-after'));
    assert.ok(seconds > 500 && seconds <= 600, String(seconds));
    await rig.ticket(anna, RAW);
    assert.deepEqual(await outcome(urls[7]!), [200, CONTENT]);
    await rig.ticket(fred, RAW);
    assert.equal((await rig.ask(fred, RAW)).status, 429);
    rig.advance(600_001);
    await rig.ticket(fred, RAW);
  });

  it('can be had nowhere where tickets are off', async (t) => {
    const rig = await startTickets(t, { downloads: { ticketMinutes: 0 } });
    await rig.upload('shop');
    const refused = await rig.ask(await rig.token('fred'), RAW);
    assert.deepEqual([refused.status, ((await refused.json()) as { code: string }).code], [422, 'tickets-not-offered']);
  });

  it('says to pipe into a database what is sealed alone', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop', DUMP);
    const fred = await rig.token('fred');
    const sealed = await rig.ticket(fred, { ...RAW, format: 'sql' });
    assert.match(sealed.command, /^curl -fsS \S+ \| psql DATABASE$/);
    const plain = await rig.ticket(fred, { ...RAW, format: 'sql', seal: 'none' });
    assert.equal(plain.command, `curl -fsS -OJ ${plain.url}`);
    assert.deepEqual(await outcome(plain.url), [200, DUMP]);
    assert.match((await outcome(sealed.url))[1], /COMMIT/);
  });

  it('has the name that its caller reached the service by', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const { authorization } = await rig.token('fred');
    const urlFor = async (host: string) => {
      const asking = request(`${rig.url}/tickets`, {
        method: 'POST',
        headers: { authorization: authorization!, host },
      });
      asking.end(JSON.stringify(RAW));
      const [answer] = (await once(asking, 'response')) as [IncomingMessage];
      return new URL((JSON.parse(await text(answer)) as { url: string }).url).host;
    };
    for (const host of ['backups.example.org', 'backup_service:3004', '[::1]:3004'])
      assert.equal(await urlFor(host), host);
    assert.equal(await urlFor("x';reboot;'"), 'host');
  });

  it('has the address that people reach the service by', async (t) => {
    const rig = await startTickets(t, { downloads: { publicUrl: 'https://backups.example.org/holdfast' } });
    await rig.upload('shop');
    const { url, path } = await rig.ticket(await rig.token('fred'), RAW);
    assert.equal(url, `https://backups.example.org/holdfast${path}`);
    assert.deepEqual(await outcome(`${rig.url}${path}`), [200, CONTENT]);
  });
});
