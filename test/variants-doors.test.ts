import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import { snapshotSchema } from '../src/adapters/http/schemas/download-schema.ts';
import { operationSchema } from '../src/adapters/http/schemas/operation-schema.ts';
import { variantOverviewSchema } from '../src/adapters/http/schemas/variant-schema.ts';
import { HoldfastError } from '../src/core/errors.ts';
import { commandLine } from './command-line.ts';
import { findProgram, skipUnless } from './installed-programs.ts';
import { masked, startVariants, until } from './variants-rig.ts';

const BROWSER = findProgram('chromium') ?? findProgram('google-chrome');
const ROWS = 'name,phone\nAnna,0151 23456\n';

describe('holdfast pull', () => {
  it('gets what the policy puts first, waits for what is being made, and raw only by its name and with a reason', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { small: { kind: 'reduced' }, masked: {} });
    const grants = [{ resources: ['*'], variants: ['small', 'masked', 'raw'], reasonFor: ['raw'] }];
    rig.principals.set('fred', { name: 'fred', role: 'developer', grants });
    const holdfast = await commandLine(t);
    const environment = { HOLDFAST_URL: rig.url, HOLDFAST_TOKEN: 'fred' };
    const pull = (...words: string[]) => holdfast.run(['pull', ...words], '', environment);
    const pulled = async (...words: string[]) => {
      const file = path.join(holdfast.folder, 'pulled');
      const { code, stderr } = await pull('shop', '--output', file, '--conflict', 'overwrite', ...words);
      assert.equal(code, 0, stderr);
      return readFile(file, 'utf8');
    };
    rig.maker.hold();
    const first = pulled();
    await until(() => rig.maker.productions === 1);
    rig.maker.release();
    assert.equal(await first, masked(ROWS));
    assert.equal(await pulled('--variant', 'masked'), masked(ROWS));
    const refused = await pull('shop', '--variant', 'raw', '--output', '-');
    assert.deepEqual([refused.code, refused.stdout], [5, '']);
    assert.match(refused.stderr, /--reason/);
    assert.equal(await pulled('--variant', 'raw', '--reason', 'ticket 4711'), ROWS);
    assert.match((await pull('--list')).stdout, /small, masked, raw/);
    rig.maker.policies.clear();
    const needed = await pull('shop', '--output', '-');
    assert.deepEqual([needed.code, needed.stdout], [1, '']);
    assert.match(needed.stderr, /--variant raw/);
    const [newest] = (await rig.application.audit.page({ action: 'download.get' }, { limit: 10 })).items.slice(1);
    assert.equal(newest?.details.reason, 'ticket 4711');
  });
});

describe('holdfast variant', () => {
  it('says what is wrong where there is no policy', async (t) => {
    const holdfast = await commandLine(t);
    await holdfast.run(['backup', '--stdin', '--resource', 'shop'], ROWS);
    assert.match((await holdfast.run(['variant', 'list', 'shop'])).stderr, /shop has no masking policy/);
    assert.equal((await holdfast.problem(['variant', 'build', 'shop', 'small'], 1)).code, 'variant-not-available');
    assert.equal((await holdfast.problem(['variant', 'build', 'shop', '../x'], 2)).code, 'usage-invalid-argument');
    const remove = ['variant', 'remove', 'shop', 'small', '--backup', 'backup-1'];
    assert.equal((await holdfast.problem(remove, 1)).code, 'variant-not-found');
  });

  it('says where a policy cannot be read, whatever variant of it is meant', async (t) => {
    const holdfast = await commandLine(t);
    await holdfast.run(['backup', '--stdin', '--resource', 'shop'], ROWS);
    await mkdir(path.join(holdfast.folder, 'policies'));
    await writeFile(path.join(holdfast.folder, 'policies', 'shop.yaml'), 'version: 1\nresource: shop\ntabels: {}\n');
    await appendFile(path.join(holdfast.folder, 'holdfast.yaml'), 'downloads: { policies: ./policies }\n');
    for (const variant of ['masked', 'small']) {
      const { code, message } = await holdfast.problem(['variant', 'build', 'shop', variant], 1);
      assert.equal(code, 'masking-policy-unusable');
      assert.match(message, /policies.shop\.yaml is not valid\. Line \d/);
    }
  });
});

describe('the API of variants', () => {
  it('answers as it is documented', async (t) => {
    const rig = await startVariants(t);
    const { id } = await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { small: { kind: 'reduced' }, tiny: { kind: 'reduced' }, bad: { fault: 'line 1' } });
    const route = '/resources/shop/snapshots/latest/variants';
    const made = await rig.get(`${route}/small`, { prefer: 'wait=60' }, 'POST');
    assert.equal(made.status, 200);
    operationSchema.parse(JSON.parse(made.text));
    rig.maker.refusal = new HoldfastError('unsupported', 'variant-blocked', 'people.phone has no rule.', {
      details: { problems: [{ code: 'column-unnamed' }] },
    });
    await rig.get(`${route}/tiny`, { prefer: 'wait=60' }, 'POST');
    const overview: unknown = JSON.parse((await rig.get('/resources/shop/variants')).text);
    const { kept, blocked, declared } = variantOverviewSchema.parse(overview);
    assert.deepEqual([kept.length, blocked.length, declared.length, kept[0]?.snapshotId], [1, 1, 3, id]);
    assert.deepEqual(kept[0]?.tables, [{ name: 'lines', rowsIn: 3, rowsOut: 2 }]);
    for (const snapshot of JSON.parse((await rig.get('/snapshots')).text) as unknown[])
      assert.deepEqual(snapshotSchema.parse(snapshot), snapshot);
    const document = JSON.parse((await rig.get('/openapi.json')).text) as { paths: Record<string, object> };
    const described = document.paths['/resources/{id}/snapshots/{snapshotId}/variants/{variant}'] ?? {};
    assert.deepEqual(Object.keys(described).sort(), ['delete', 'post']);
  });
});

describe('the page of snapshots', () => {
  it('shows how variants stand and why one cannot be had', {
    skip: skipUnless(BROWSER !== undefined, 'chromium', 'apt-get install chromium'),
  }, async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS.repeat(1000));
    rig.maker.declare('shop', { small: { kind: 'reduced' }, masked: {}, tiny: { kind: 'reduced' } });
    await rig.get('/download/shop');
    rig.maker.refusal = new HoldfastError('unsupported', 'variant-blocked', 'people.<img src=x> has no rule.');
    await rig.get('/download/shop?variant=tiny');
    const browser = await chromium.launch({
      ...(BROWSER === undefined ? {} : { executablePath: BROWSER }),
      args: ['--no-sandbox'],
    });
    t.after(() => browser.close());
    const page = await browser.newPage({ viewport: { width: 1100, height: 500 } });
    await page.goto(`${rig.url}/snapshots`);
    const text = String(await page.locator('article').textContent());
    assert.match(text, /small \(ready, 26\.4 KiB\), masked, tiny \(blocked\), raw/);
    assert.match(text, /tiny: .*people\.<img src=x> has no rule/);
    assert.equal(await page.locator('img').count(), 0);
    assert.deepEqual(await page.locator('.facts a').allTextContents(), ['small', 'masked', 'raw']);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('.facts a', { hasText: 'small' }).click(),
    ]);
    assert.match(download.suggestedFilename(), /^shop_.*_small\./);
    const { HOLDFAST_SCREENSHOTS } = process.env;
    if (HOLDFAST_SCREENSHOTS !== undefined)
      await page.screenshot({ path: `${HOLDFAST_SCREENSHOTS}/snapshots-variants.png`, fullPage: true });
  });
});
