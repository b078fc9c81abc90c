import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { commandLine } from './command-line.ts';
import { firstLine } from './first-line.ts';
import { outcome } from './tickets-rig.ts';

const CONTENT = 'what only those may have who may';

test('the command line makes a ticket of the running service, which gives one download and logs nothing of it', async (t) => {
  const holdfast = await commandLine(t);
  const made = await holdfast.run(['backup', '--resource', 'dump', '--stdin'], CONTENT);
  assert.equal(made.code, 0, made.stderr);
  const { token } = await holdfast.json(['token', 'create', 'fred', '--role', 'developer']);
  const service = holdfast.start(['serve', '--port', '0', '--json'], { HOLDFAST_LOG_LEVEL: 'debug' });
  t.after(() => service.kill('SIGKILL'));
  let said = '';
  for (const stream of [service.stdout!, service.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const { url: address } = JSON.parse(await firstLine(service)) as { url: string };
  const environment = { HOLDFAST_TOKEN: token };
  const choice = ['dump', '--variant', 'raw', '--reason', 'ticket 4711'];

  const plain = await holdfast.run(['ticket', ...choice], '', environment);
  assert.equal(plain.code, 0, plain.stderr);
  const url = plain.stdout.trim();
  assert.ok(url.startsWith(`${address}/t/`), url);
  assert.match(plain.stderr, /^dump of .* \(raw\), once, until .*\. Whoever has this URL can have it\.$/m);
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => outcome(url)));
  assert.deepEqual(
    outcomes.filter(([status]) => status === 200),
    [[200, CONTENT]],
  );
  assert.deepEqual(await outcome(url), [404, 'ticket-not-found']);

  const asJson = await holdfast.run(['ticket', ...choice, '--json'], '', environment);
  const { ticket } = JSON.parse(asJson.stdout) as { ticket: { url: string; backup: string; variant: string } };
  assert.deepEqual([ticket.variant, (await outcome(ticket.url))[1]], ['raw', CONTENT]);

  const refused = async (words: readonly string[], code: number) =>
    (await holdfast.problem(['ticket', ...words], code, environment)).code;
  assert.equal(await refused(['absent'], 6), 'download-not-found');
  assert.equal(await refused(['dump', '--variant', 'raw'], 5), 'reason-needed');
  assert.equal((await holdfast.problem(['ticket', ...choice], 5)).code, 'credentials-missing');

  for (const secret of [url, ticket.url].map((each) => each.slice(each.lastIndexOf('/') + 1)))
    assert.ok(!said.includes(secret), said);
});

test('the command line hands on nothing but the URL of a ticket', async (t) => {
  const holdfast = await commandLine(t);
  const facts = { variant: 'raw', backupCreatedAt: '\u001b[2J', expiresAt: '2026-11-22T12:00:00.000Z' };
  let url = '';
  const server = createServer((_request, response) =>
    response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ ...facts, url })),
  );
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const words = ['ticket', 'dump', '--server', `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  for (url of ['-K/etc/passwd', 'file:///etc/passwd', 'https://x/ /y', 'https://x/\n'])
    assert.equal((await holdfast.problem(words, 1)).code, 'server-strange', url);
  url = 'https://backups.example.org/t/x';
  const made = await holdfast.run(words);
  assert.deepEqual([made.code, made.stdout], [0, `${url}\n`]);
  assert.ok(!made.stderr.includes('\u001b'), made.stderr);
});
