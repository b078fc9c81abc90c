import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { HoldfastError } from '../../core/errors.ts';
import { parsePredicate } from '../predicate/parse-predicate.ts';
import { PolicyFolder } from './policy-folder.ts';

let root = '';
let folder = '';
let policies: PolicyFolder;

before(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'holdfast-policies-'));
});
after(async () => {
  await rm(root, { recursive: true });
});
beforeEach(async () => {
  folder = await mkdtemp(path.join(root, 'each-'));
  policies = new PolicyFolder(folder, parsePredicate);
});

function text(resource: string, epoch = '1'): string {
  return `version: 1\nresource: ${resource}\nkey: env:K\nepoch: "${epoch}"\nvariants: { masked: { keep: full } }\n`;
}

const write = (name: string, content: string | Uint8Array) => writeFile(path.join(folder, name), content);
const epochOf = async (resource: string) => (await policies.policyOf(resource))?.policy.epoch;

async function faultOf(resource: string): Promise<string> {
  try {
    await policies.policyOf(resource);
  } catch (error) {
    assert.ok(error instanceof HoldfastError && error.code === 'masking-policy-invalid', String(error));
    return error.message;
  }
  return '';
}

test('the policy that names a resource most exactly is its policy; other files are none', async () => {
  await write('all.yaml', text('"*"', 'all'));
  await write('shops.yml', text('shop-*', 'shops'));
  await write('eu.yaml', text('shop-eu-*', 'eu'));
  await write('one.yaml', text('shop-eu-1', 'one'));
  await write('notes.txt', 'not a policy');
  await write('.hidden.yaml', ': : :');
  assert.equal(await epochOf('shop-eu-1'), 'one');
  assert.equal(await epochOf('shop-eu-2'), 'eu');
  assert.equal(await epochOf('shop-us'), 'shops');
  assert.equal(await epochOf('wiki'), 'all');
});

test('a resource of which no file speaks has no policy', async () => {
  await write('shop.yaml', text('shop'));
  assert.equal(await policies.policyOf('shop2'), undefined);
});

test('a file that changes, comes or goes counts at once, also where its length and place stay', async () => {
  await write('shop.yaml', text('shop', '1'));
  assert.equal(await epochOf('shop'), '1');
  await write('shop.yaml', text('shop', '2'));
  assert.equal(await epochOf('shop'), '2');
  await write('next', text('shop', '3'));
  await rename(path.join(folder, 'next'), path.join(folder, 'shop.yaml'));
  assert.equal(await epochOf('shop'), '3');
  await unlink(path.join(folder, 'shop.yaml'));
  assert.equal(await policies.policyOf('shop'), undefined);
});

test('a file that did not change is not read again', async () => {
  await write('shop.yaml', text('shop'));
  const first = await policies.policyOf('shop');
  assert.equal((await policies.policyOf('shop'))?.policy, first?.policy);
});

test('a link to a file is followed, and its new target counts', async () => {
  await write('a.txt', text('shop', 'a'));
  await write('b.txt', text('shop', 'b'));
  await symlink('a.txt', path.join(folder, 'shop.yaml'));
  assert.equal(await epochOf('shop'), 'a');
  await symlink('b.txt', path.join(folder, 'next'));
  await rename(path.join(folder, 'next'), path.join(folder, 'shop.yaml'));
  assert.equal(await epochOf('shop'), 'b');
});

test('a broken policy is a fault of the resources that it names, and of no others', async () => {
  await write('wiki.yaml', text('wiki'));
  await write('shop.yaml', `${text('shop')}tabels: {}\n`);
  assert.match(await faultOf('shop'), /shop\.yaml is not valid\. Line 6, column 1: .*`tables`/);
  assert.equal(await faultOf('wiki'), '');
});

test('a broken policy that does not say whose it is, is a fault of all', async () => {
  await write('wiki.yaml', text('wiki'));
  for (const broken of [
    '{',
    'version: 1\n',
    new Uint8Array([0xff, 0xfe, 0x80]),
    new Uint8Array(2 ** 20 + 1).fill(35),
  ]) {
    await write('broken.yaml', broken);
    assert.match(await faultOf('wiki'), /broken\.yaml/);
  }
});

test('a link that leads nowhere, and what is no file, are policies that cannot be read', async () => {
  await write('wiki.yaml', text('wiki'));
  await symlink('absent', path.join(folder, 'shop.yaml'));
  assert.match(await faultOf('wiki'), /shop\.yaml/);
  await unlink(path.join(folder, 'shop.yaml'));
  await mkdir(path.join(folder, 'folder.yaml'));
  assert.equal(await faultOf('wiki'), '');
  await symlink('/dev/zero', path.join(folder, 'shop.yaml'));
  assert.match(await faultOf('wiki'), /no file/);
});

test('two policies that name a resource equally exactly are a fault of it', async () => {
  await write('a.yaml', text('shop'));
  await write('b.yaml', text('shop'));
  await write('c.yaml', text('wiki'));
  assert.match(await faultOf('shop'), /a\.yaml.*b\.yaml/);
  assert.equal(await faultOf('wiki'), '');
});

test('a folder that is not there is told, and not taken for one without policies', async () => {
  const absent = new PolicyFolder(path.join(folder, 'absent'), parsePredicate);
  await assert.rejects(
    absent.policyOf('shop'),
    (error) => error instanceof HoldfastError && error.code === 'masking-policies-unreadable',
  );
});
