import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { NO_ROW } from '../json/json-masker.ts';
import type { ColumnFacts, Transformer } from '../transformer.ts';
import { folderTransformers } from './folder-transformers.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-transformers-'));
const [lookup, js] = folderTransformers(folder) as [Transformer, Transformer];
const COLUMN: ColumnFacts = { family: 'text', type: 'text', isNullable: false };

async function written(name: string, content: string): Promise<string> {
  await writeFile(path.join(folder, name), content);
  return createHash('sha256').update(content).digest('hex');
}

function made(transformer: Transformer, policy: Record<string, unknown>) {
  const options = structuredClone(transformer.options.parse(policy));
  // A thread has the registry of one that knows no folder.
  const [lookupOfThread, jsOfThread] = folderTransformers(undefined) as [Transformer, Transformer];
  const ofThread = transformer === lookup ? lookupOfThread : jsOfThread;
  return ofThread.create(options, { key: Buffer.alloc(32), column: COLUMN, indexOf: () => 0, inner: () => undefined });
}

describe('transformers that use files', () => {
  after(() => rm(folder, { recursive: true }));

  it('look values up in a CSV file', async () => {
    const sha256 = await written('map.csv', '\ufefffrom,to\r\nAlice,"Person, 1"\r\n__proto__,x\r\n');
    const change = made(lookup, { file: 'map.csv', sha256 });
    assert.equal(change('Alice', NO_ROW), 'Person, 1');
    assert.equal(change('__proto__', NO_ROW), 'x');
    assert.throws(() => change('Bob', NO_ROW), /not in the table/);
    assert.equal(made(lookup, { file: 'map.csv', sha256, otherwise: 'null' })('constructor', NO_ROW), null);
  });

  it('refuse a table that is none, or says two things', async () => {
    for (const content of ['from,to\na,b,c\n', 'from,to\na,1\na,2\n', 'x,y\n1,2\n', 'from,to\n"a\n']) {
      const sha256 = await written('broken.csv', content);
      assert.throws(() => made(lookup, { file: 'broken.csv', sha256 }), { code: 'transformer-file-invalid' });
    }
    const sha256 = await written('map.csv', 'from,to\nAlice,Bob\n');
    const same = lookup.options.safeParse({ file: 'map.csv', sha256, from: 'to', to: 'to' });
    assert.match(String(same.error), /is the column of the originals/);
  });

  it('run a function of a module, which gets a keyed hash and can load nothing', async () => {
    const sha256 = await written(
      'shout.js',
      'module.exports = (value, { hash }) => value === "" ? null : value.toUpperCase() + hash(value).length;',
    );
    const change = made(js, { module: 'shout.js', sha256 });
    assert.deepEqual([change('a', NO_ROW), change('', NO_ROW)], ['A64', null]);
    for (const content of [
      'module.exports = require("node:fs").readFileSync',
      'import fs from "node:fs"',
      'module.exports = 1',
      '}{',
    ]) {
      const other = await written('broken.js', content);
      assert.throws(() => made(js, { module: 'broken.js', sha256: other }), { code: 'transformer-file-invalid' });
    }
    const number = await written('number.js', 'module.exports = () => 1');
    assert.throws(() => made(js, { module: 'number.js', sha256: number })('a', NO_ROW));
  });

  it('take only files of the folder, and only as the policy means them', async () => {
    const sha256 = await written('fine.js', 'module.exports = (value) => value');
    await symlink('fine.js', path.join(folder, 'link.js'));
    await mkdir(path.join(folder, 'sub.js'));
    const refusals: [string, RegExp][] = [
      ['../fine.js', /must be the name/],
      ['/etc/passwd', /must be the name/],
      ['.hidden.js', /must be the name/],
      ['absent.js', /ENOENT/],
      ['link.js', /symbolic link/],
      ['sub.js', /no file|EISDIR/],
    ];
    for (const [module, message] of refusals) {
      const result = js.options.safeParse({ module, sha256 });
      assert.match(result.error?.issues[0]?.message ?? '', message, module);
    }
    const other = js.options.safeParse({ module: 'fine.js', sha256: '0'.repeat(64) });
    assert.match(other.error?.issues[0]?.message ?? '', new RegExp(sha256));
    const [, without] = folderTransformers(undefined) as [Transformer, Transformer];
    assert.match(
      without.options.safeParse({ module: 'fine.js', sha256 }).error?.issues[0]?.message ?? '',
      /downloads\.transformers/,
    );
  });
});
