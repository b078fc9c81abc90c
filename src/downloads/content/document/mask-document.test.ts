import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { chunked, collected } from '../../../../test/variant-rig.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { folderTransformers } from '../../masking/folder/folder-transformers.ts';
import type { MaskingPoolOptions } from '../../masking/masking-pool.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import { TRANSFORMERS } from '../../masking/transformers.ts';
import type { JsonPlan, Rule } from '../../variant-plan.ts';
import { DOCUMENT, maskDocument } from './mask-document.ts';

const PLAN: JsonPlan = {
  unknown: 'redact',
  onInvalid: 'fail',
  paths: [
    { path: '$.users[*].email', rule: rule('email') },
    { path: '$.users[*].id', rule: rule('int', { mode: 'permute' }) },
    { path: '$.users[*].born', rule: rule('date', { truncate: 'year' }) },
    { path: '$.settings', rule: rule('keep') },
    { path: '$..token', rule: rule('null') },
  ],
};

describe('a document', () => {
  it('is masked the same in whatever pieces it comes, and counted', async () => {
    const text = `{"users":[
      {"id": 12, "email":"jörg@example.org", "born" : "1980-05-06", "name":"Jörg 𝄞", "token":{"a":["b"]}},
      {"id": 13, "email":"jörg@example.org", "age": 4.50, "born": "2026-99-77"}
    ], "settings": {"a@b": 1e3, "n": 12345678901234567890} }\n`;
    const outputs = await Promise.all([1, 3, 1000].map((size) => masked(text, [size])));
    const [first = '', ...others] = outputs.map(({ output }) => output);
    for (const other of others) assert.equal(other, first);
    const [one, two] = JSON.parse(first).users;
    assert.match(one.email, /@/);
    assert.equal(one.email, two.email);
    assert.equal(typeof one.id, 'number');
    assert.notEqual(one.id, two.id);
    assert.deepEqual(
      [one.born, one.name, one.token, two.age, two.born],
      ['1980-01-01', '[redacted]', null, 0, '[redacted]'],
    );
    assert.ok(first.endsWith('"settings": {"a@b": 1e3, "n": 12345678901234567890} }\n'));
    assert.ok(!/jörg|Jörg|-05-06/.test(first));
    const counts = outputs[0]?.run.counts.tables.get(DOCUMENT);
    assert.deepEqual([counts?.rowsIn, counts?.rowsOut], [1, 1]);
  });

  it('streams whatever its size', async () => {
    const users = `[${Array.from({ length: 40_000 }, (_, id) => `{"id":${id},"email":"u${id}@example.org"}`).join(',\n')}]`;
    const { output } = await masked(`{"users":${users}}`, [65_536]);
    assert.equal(JSON.parse(output).users.length, 40_000);
  });

  it('ends a function of the operator that loops, and tells nothing of it', async () => {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-loop-'));
    stack.defer(() => rm(folder, { recursive: true }));
    const source = 'module.exports = (value) => { while (value) value += ""; }';
    await writeFile(path.join(folder, 'loop.js'), source);
    const sha256 = createHash('sha256').update(source).digest('hex');
    const [, js] = folderTransformers(folder);
    const options = js?.options.parse({ module: 'loop.js', sha256 }) ?? {};
    const json = { ...PLAN, paths: [{ path: '$.a', rule: { ...rule('keep'), transformer: 'js', options } }] };
    const failure = masked('{"a":"secret"}', [100], json, { longestBlock: 1000 });
    await assert.rejects(failure, (error) => error instanceof HoldfastError && !error.message.includes('secret'));
  });

  const faults: [string, string | Buffer, JsonPlan?][] = [
    ['ends early', '{"users":[{"email":"secret@example.org"'],
    ['is not in UTF-8', Buffer.from('{"users":"secret\xff"}', 'latin1')],
    ['ends within a character', Buffer.from('"é"').subarray(0, 2)],
    ['holds what no path names, where that is a fault', '{"secret":"secret"}', { ...PLAN, unknown: 'fail' }],
  ];
  for (const [what, bytes, json] of faults) {
    it(`fails where it ${what}, and shows nothing of it`, async () => {
      await assert.rejects(masked(bytes, [5], json), (error) => {
        assert.ok(error instanceof HoldfastError && error.code === 'variant-failed', String(error));
        assert.doesNotMatch(error.message + JSON.stringify(error.details), /secret/);
        return true;
      });
    });
  }
});

async function masked(text: string | Buffer, sizes: number[], json = PLAN, options: MaskingPoolOptions = {}) {
  const content = { kind: 'document' as const, json };
  const run: MaskingRun = {
    plan: { variant: 'masked', policyHash: '', epoch: '1', content, detectors: 'none' },
    key: new Uint8Array(32),
    threads: 2,
    signal: new AbortController().signal,
    counts: { tables: new Map() },
  };
  const output = (await collected(maskDocument(chunked(Buffer.from(text), ...sizes), run, options))).toString();
  return { run, output };
}

function rule(transformer: string, options: Record<string, unknown> = {}): Rule {
  const parsed = TRANSFORMERS.get(transformer)?.options.parse(options) ?? {};
  return { transformer, options: parsed, domain: transformer, normalise: [] };
}
