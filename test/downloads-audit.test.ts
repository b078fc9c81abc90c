import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startDownloads } from './download-rig.ts';

describe('what is kept of a download', () => {
  it('is one event in the audit log, with who, what and how it ended', async (t) => {
    const rig = await startDownloads(t);
    const { id } = await rig.backUpSql('shop', 10);
    rig.principals.set('fred', { name: 'fred', role: 'developer', method: 'ldap' });
    const headers = {
      authorization: 'Bearer fred',
      'accept-encoding': 'identity',
      'x-reason': Buffer.from('ticket 4711 für Anna').toString('latin1'),
    };
    const body = await (await fetch(`${rig.url}/download/shop?mode=replace`, { headers })).text();
    await fetch(`${rig.url}/download/secret-of-others`, { headers });
    await fetch(`${rig.url}/download/shop`, { headers: { authorization: 'Bearer wrong' } });
    const [complete, refused, denied, ...others] = await rig.audits();
    assert.deepEqual(others, []);
    assert.deepEqual([complete!.actor, complete!.subject, complete!.outcome], ['fred', id, 'success']);
    assert.match(String(complete!.address), /127\.0\.0\.1$/);
    const { seconds, requestId, ...facts } = complete!.details;
    assert.ok(Number(seconds) >= 0 && String(requestId).length > 0);
    assert.deepEqual(facts, {
      ...{ status: 200, method: 'ldap', resource: 'shop', backup: id, variant: 'raw', format: 'sql', mode: 'replace' },
      ...{ reason: 'ticket 4711 für Anna', outcome: 'complete', bytes: Buffer.byteLength(body) },
    });
    assert.deepEqual([refused!.outcome, refused!.details.outcome], ['failure', 'refused']);
    assert.deepEqual([denied!.actor, denied!.outcome, denied!.details.outcome], ['anonymous', 'denied', 'denied']);
  });

  it('is counted in metrics', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', 'twelve bytes');
    await (await fetch(`${rig.url}/download/shop`)).text();
    await fetch(`${rig.url}/download/absent`);
    const metrics = await (await fetch(`${rig.url}/metrics`)).text();
    assert.match(metrics, /^holdfast_downloads_total\{outcome="complete"\} 1$/m);
    assert.match(metrics, /^holdfast_downloads_total\{outcome="refused"\} 1$/m);
    assert.match(metrics, /^holdfast_download_bytes_total 12$/m);
    assert.match(metrics, /^holdfast_download_duration_seconds_count\{outcome="complete"\} 1$/m);
    assert.match(metrics, /^holdfast_download_first_byte_seconds_count 1$/m);
  });
});
