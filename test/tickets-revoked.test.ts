import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import type { Grant } from '../src/core/grant.ts';
import type { IdentityConfiguration } from '../src/core/identity-configuration.ts';
import { eventually } from './eventually.ts';
import { CONTENT, MASKED, outcome, PASSWORD, startTickets, type TicketsRig } from './tickets-rig.ts';

const NONE: [number, string] = [404, 'ticket-not-found'];
const RAW = { resource: 'shop', variant: 'raw', reason: 'ticket 4711' };
const basic = (name: string) => ({ authorization: `Basic ${Buffer.from(`${name}:${PASSWORD}`).toString('base64')}` });
const mayHave = (...variants: string[]): readonly Grant[] => [{ resources: ['shop'], variants }];

const faults = async (rig: TicketsRig) =>
  (await rig.audits('download.get'))
    .filter(({ outcome: how }) => how === 'failure')
    .map(({ details }) => details.fault);

describe('a ticket gives nothing any more', () => {
  it('when the token of who asked for it is revoked', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    await rig.token('other');
    const { url } = await rig.ticket(await rig.token('fred'), RAW);
    const { id } = (await rig.application.access.listTokens()).find(({ name }) => name === 'fred')!;
    await rig.application.access.revokeToken(id);
    assert.deepEqual(await outcome(url), NONE);
    await rig.token('fred');
    assert.deepEqual(await outcome(url), NONE, 'another token of that name is another one');
    assert.deepEqual(await faults(rig), ['owner-gone', 'owner-gone']);
  });

  it('when the user who asked for it is disabled, removed, or has another password', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const { users } = rig.application;
    const settings = { role: 'developer' as const };
    const asked = async (name: string) => {
      await users.put(name, settings, PASSWORD);
      return (await rig.ticket(basic(name), RAW)).url;
    };
    const urls = [await asked('disabled'), await asked('removed'), await asked('changed'), await asked('viewer')];
    const stays = await asked('stays');
    rig.advance(1000);
    await users.put('disabled', { ...settings, disabled: true });
    await users.delete('removed');
    await users.setPassword('changed', 'another one of several words');
    await users.put('viewer', { role: 'viewer' });
    await users.put('stays', { ...settings, grants: mayHave('raw') });
    for (const url of urls) assert.deepEqual(await outcome(url), NONE);
    assert.deepEqual(await outcome(stays), [200, CONTENT]);
  });

  it('when the grant is taken back, and again when it is given again', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const { users } = rig.application;
    const put = (grants: readonly Grant[]) => users.put('fred', { role: 'developer', grants }, undefined);
    await users.put('fred', { role: 'developer', grants: mayHave('raw') }, PASSWORD);
    const { url } = await rig.ticket(basic('fred'), RAW);
    await put(mayHave('masked'));
    assert.deepEqual(await outcome(url), NONE);
    assert.equal((await fetch(url, { method: 'HEAD' })).status, 404);
    assert.deepEqual(await faults(rig), ['not-granted']);
    await put(mayHave('raw'));
    assert.deepEqual(await outcome(url), [200, CONTENT], 'nobody has used it');
  });

  it('when it is of the newest backup alone, and that is another one', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const { url } = await rig.ticket(
      await rig.token('fred', [{ resources: ['shop'], variants: ['raw'], latestOnly: true }]),
      RAW,
    );
    await rig.upload('shop', 'newer');
    assert.deepEqual(await outcome(url), NONE);
  });

  it('when the policy of its variant has changed, or declares it no more', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const fred = await rig.token('fred');
    const [one, other] = [await rig.ticket(fred, { resource: 'shop' }), await rig.ticket(fred, { resource: 'shop' })];
    rig.maker.version = 'two';
    assert.deepEqual(await outcome(one.url), NONE);
    rig.maker.version = 'one';
    rig.maker.declare('shop', { other: {} });
    assert.deepEqual(await outcome(other.url), NONE);
    assert.deepEqual(await faults(rig), ['changed', 'not-granted']);
    rig.maker.declare('shop', { masked: {} });
    assert.deepEqual(await outcome(other.url), [200, MASKED]);
  });

  it('when the backup is gone', async (t) => {
    const rig = await startTickets(t);
    const backup = await rig.upload('shop');
    const { url } = await rig.ticket(await rig.token('fred'), RAW);
    await rig.application.backups.delete(backup, { cascade: false, reason: 'test', by: 'test' });
    assert.deepEqual(await outcome(url), NONE);
  });

  it('when that happens while what it is for is being made', async (t) => {
    const rig = await startTickets(t);
    rig.maker.declare('shop', { reduced: { kind: 'reduced' } });
    await rig.upload('shop');
    const { users, access } = rig.application;
    const settings = { role: 'developer' as const };
    await users.put('anna', settings, PASSWORD);
    await users.put('bert', settings, PASSWORD);
    const askers = [await rig.token('fred'), basic('anna'), basic('bert')];
    const urls = await Promise.all(
      askers.map(async (headers) => (await rig.ticket(headers, { resource: 'shop' })).url),
    );
    rig.maker.hold();
    const coming = Promise.all(urls.map((url) => outcome(url)));
    await eventually(() => rig.maker.productions > 0, 'Nothing is being made.');
    await access.revokeToken((await access.listTokens()).find(({ name }) => name === 'fred')!.id);
    await users.put('anna', { ...settings, grants: mayHave('raw') });
    rig.maker.release();
    assert.deepEqual(await coming, [NONE, NONE, [200, MASKED]]);
    assert.deepEqual((await faults(rig)).toSorted(), ['not-granted', 'owner-gone']);
  });

  it('when somebody is somebody since: what anybody of this machine was given while there were no credentials', async (t) => {
    const rig = await startTickets(t);
    await rig.upload('shop');
    const [one, other] = [await rig.ticket({}, RAW), await rig.ticket({}, RAW)];
    assert.deepEqual(await outcome(one.url), [200, CONTENT]);
    await rig.token('first');
    assert.deepEqual(await outcome(other.url), NONE);
  });
});

it('a ticket is not given to a token that is revoked while it is asked for, though another one has its name', async (t) => {
  const rig = await startTickets(t);
  await rig.upload('shop');
  const old = await rig.token('fred', mayHave('raw'));
  const tokenOf = async () => (await rig.application.access.listTokens()).find(({ name }) => name === 'fred')!;
  const asking = request(`${rig.url}/tickets`, { method: 'POST', headers: old });
  asking.write(JSON.stringify(RAW).slice(0, 5));
  await eventually(async () => (await tokenOf()).lastUsedAt !== undefined, 'It does not come in.');
  await rig.application.access.revokeToken((await tokenOf()).id);
  await rig.token('fred');
  asking.end(JSON.stringify(RAW).slice(5));
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  assert.deepEqual([answer.statusCode, JSON.parse(await text(answer)).code], [403, 'credentials-gone']);
});

describe('a ticket of somebody whom a proxy vouches for', () => {
  it('follows the rules as they are now, with the groups of then', async (t) => {
    let variants: readonly string[] = ['raw'];
    const identity: IdentityConfiguration = {
      proxy: { addresses: ['127.0.0.1'], userHeader: 'x-user', groupsHeader: 'x-groups' },
      grants: [
        {
          ...{ subjects: ['group:developers'], role: 'developer', resources: ['shop'] },
          get variants() {
            return variants;
          },
        },
      ],
    };
    const rig = await startTickets(t, { identity });
    await rig.upload('shop');
    const anna = { 'x-user': 'anna', 'x-groups': 'developers' };
    const [one, other] = [await rig.ticket(anna, RAW), await rig.ticket(anna, RAW)];
    assert.deepEqual(await outcome(one.url), [200, CONTENT]);
    variants = ['masked'];
    assert.deepEqual(await outcome(other.url), NONE);
  });
});
