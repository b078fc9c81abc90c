import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { HoldfastError } from '../src/core/errors.ts';
import type { ContentSegment } from '../src/core/tree-entry.ts';
import { maskArchive } from '../src/downloads/content/files/mask-archive.ts';
import { headerBytesWithSize, tarHeaders } from '../src/downloads/content/files/tar-headers.ts';
import type { MaskingRun } from '../src/downloads/masking/masking-run.ts';
import { tarHeader } from '../src/services/files/tar-header.ts';
import { run } from './variant-files-rig.ts';
import { chunked, collected } from './variant-rig.ts';

describe('an archive', { timeout: 120_000 }, () => {
  let temporaryFolder: string;
  before(async () => {
    temporaryFolder = await mkdtemp(path.join(tmpdir(), 'holdfast-variant-files-'));
  });
  after(() => rm(temporaryFolder, { recursive: true, force: true }));
  const made = (archive: Buffer, rules = '\n  "**": keep\n', more: Partial<MaskingRun> = {}) =>
    collected(maskArchive(chunked(archive, 700), run(rules, more), { temporaryFolder }));

  test('is what its kept files alone make, in whatever pieces it comes', async () => {
    const file = fc.record({
      folder: fc.constantFrom('kept', 'dropped'),
      name: fc.string({ unit: fc.constantFrom('a', 'é', ' ', '*', '\\', 'x'.repeat(60)), minLength: 1, maxLength: 5 }),
      content: fc.string({ unit: fc.constantFrom('x', '\0', 'é'.repeat(300)), maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(file, { maxLength: 6 }), fc.integer({ min: 1, max: 2000 }), async (files, size) => {
        const entries = files.map(({ folder, name, content }) => ({ folder, name: `${folder}/${name}`, content }));
        const archive = await packed(entries);
        const making = run('\n  kept/**: keep\n  dropped/**: drop\n');
        const variant = maskArchive(chunked(archive, size), making, { temporaryFolder, isPart: true });
        assert.ok((await collected(variant)).equals(await packed(entries.filter(({ folder }) => folder === 'kept'))));
      }),
    );
  });

  test('fails wherever it is cut', async () => {
    const archive = await packed([
      { name: 'a', content: 'x'.repeat(1000) },
      { name: 'b'.repeat(120), content: 'y' },
    ]);
    assert.ok((await made(archive)).equals(archive));
    for (let end = 0; end < archive.length; end += 128)
      await assert.rejects(made(archive.subarray(0, end)), { code: 'variant-content-unreadable' }, `${end}`);
    await assert.rejects(made(Buffer.concat([archive, archive])), { code: 'variant-content-unreadable' });
  });

  test('fails where it would be unpacked elsewhere', async () => {
    for (const name of ['../a', 'a/../../b', '/etc/a', 'a//b', '/'])
      await assert.rejects(
        made(await packed([{ name, content: 'x' }])),
        { code: 'variant-failed', message: /outside/ },
        name,
      );
    const through = [
      { name: 'link', type: 'symlink' as const, linkname: '/etc' },
      { name: 'link/a', content: 'x' },
    ];
    await assert.rejects(made(await packed(through)), { message: /through a link/ });
    const linked = [{ name: 'a', type: 'link' as const, linkname: '../../etc/shadow' }];
    await assert.rejects(made(await packed(linked)), { message: /outside/ });
  });

  test('fails where a byte of a header is another, and at random bytes', async () => {
    const archive = await packed([{ name: 'a', content: 'x' }]);
    for (let at = 0; at < 150; at += 10) {
      const broken = Buffer.from(archive);
      broken[at] = (broken[at] ?? 0) ^ 1;
      await assert.rejects(made(broken), HoldfastError, `${at}`);
    }
    await assert.rejects(made(Buffer.alloc(5000, 'x')), { code: 'variant-content-unreadable' });
  });

  test('leaves no file behind, however a masked one ends', async () => {
    const rows = `email\n${'jane@corp.example\n'.repeat(120_000)}`;
    const rules = '\n  "**": { csv: { columns: { email: email } } }\n';
    const archive = await packed([
      { name: 'users.csv', content: rows },
      { name: 'bad.csv', content: 'other\n' },
    ]);
    const abort = new AbortController();
    const giving = maskArchive(chunked(archive, 65_536), run(rules, { signal: abort.signal }), { temporaryFolder });
    assert.ok(((await giving.next()).value?.length ?? 0) > 0);
    assert.deepEqual(readdirSync(temporaryFolder), []);
    abort.abort(new Error('given up'));
    await assert.rejects(collected(giving), { message: 'given up' });
    await assert.rejects(made(archive, rules), { code: 'variant-failed', message: /bad\.csv/ });
    const left = maskArchive(chunked(archive, 65_536), run(rules), { temporaryFolder });
    await left.next();
    await left.return(undefined);
    assert.deepEqual(readdirSync(temporaryFolder), []);
    const nowhere = path.join(temporaryFolder, 'absent');
    await assert.rejects(collected(maskArchive(chunked(archive, 65_536), run(rules), { temporaryFolder: nowhere })), {
      code: 'ENOENT',
    });
    assert.throws(() => statSync(nowhere));
  });

  test('fails with what its source says, and when it is aborted while that says nothing', async () => {
    const archive = await packed([{ name: 'a', content: 'x'.repeat(5000) }]);
    for (const rules of ['\n  "**": keep\n', '\n  "**": { csv: { header: false, columns: { 1: keep } } }\n']) {
      const broken = (async function* () {
        yield archive.subarray(0, 1500);
        throw new HoldfastError('damaged', 'chunk-damaged', 'A chunk is damaged.');
      })();
      await assert.rejects(collected(maskArchive(broken, run(rules), { temporaryFolder })), { code: 'chunk-damaged' });
      const abort = new AbortController();
      const silent = (async function* () {
        yield archive.subarray(0, 1500);
        setImmediate(() => abort.abort(new Error('given up')));
        await new Promise(() => undefined);
      })();
      const making = run(rules, { signal: abort.signal });
      await assert.rejects(collected(maskArchive(silent, making, { temporaryFolder })), { message: 'given up' });
    }
  });

  test('fails at its end where a rule that masks or drops met nothing, unless it is a part', async () => {
    const archive = await packed([{ name: 'a', content: 'x' }]);
    for (const rules of ['\n  b: drop\n  "**": keep\n', '\n  "**": keep\n  a: { json: {} }\n']) {
      await assert.rejects(made(archive, rules), {
        code: 'variant-failed',
        message: /No file is meant by the pattern/,
      });
      const part = maskArchive(chunked(archive, 700), run(rules), { temporaryFolder, isPart: true });
      assert.ok((await collected(part)).equals(archive));
    }
    assert.ok((await made(archive, '\n  b: keep\n  "**": keep\n')).equals(archive));
  });

  test('gives a masked file whose header could not hold its size, or cannot hold it now', async () => {
    const file = {
      type: 'file' as const,
      mode: 0o644,
      uid: 0,
      gid: 0,
      modifiedAt: 1_700_000_000_123_456_789n,
      path: '',
    };
    const name = `${'é'.repeat(60)}.csv`;
    for (const [was, is] of [
      [9 * 2 ** 30, 10],
      [10, 9 * 2 ** 30],
      [10, 11],
    ] as const) {
      const entry = { entry: { ...file, size: was }, name: Buffer.from(name).toString('latin1') };
      const changed = headerBytesWithSize(tarHeaders(tarHeader(entry)), is);
      const { stdout } = spawnSync('tar', ['-t', '-v', '--full-time', '--quoting-style=literal'], { input: changed });
      const listed = stdout.toString();
      assert.ok(listed.includes(` ${is} 2023-11-14`) && listed.includes('.123456789') && listed.includes(name), listed);
      if (was < 2 ** 30 && is < 2 ** 30)
        assert.ok(changed.equals(tarHeader({ ...entry, entry: { ...file, size: is } })));
    }
  });

  test('fails at a file with holes that is to be masked', async () => {
    const file = { type: 'file' as const, mode: 0o644, uid: 0, gid: 0, modifiedAt: 0n, path: '', size: 5 << 20 };
    const sparse = [{ id: null, length: 5 << 20, offset: 0 }] as unknown as readonly ContentSegment[];
    const archive = Buffer.concat([tarHeader({ entry: file, name: 'users.csv', sparse }), Buffer.alloc(1024)]);
    assert.ok((await made(archive)).equals(archive));
    // By its own name, and not by the one that archives have for such files.
    const rules = '\n  users.csv: { csv: { header: false, columns: { 1: keep } } }\n';
    await assert.rejects(made(archive, rules), { message: /"users\.csv" has holes/ });
  });
});

interface Packed {
  name: string;
  content?: string;
  type?: 'symlink' | 'link';
  linkname?: string;
}

async function packed(entries: readonly Packed[]): Promise<Buffer> {
  const archive = pack();
  for (const { name, content, type, linkname } of entries) {
    const link = type === undefined || linkname === undefined ? {} : { type, linkname };
    const header = { name, mode: 0o644, mtime: new Date(1_700_000_000_000), ...link };
    if (content === undefined) archive.entry(header);
    else archive.entry(header, content);
  }
  archive.finalize();
  return collected(archive as AsyncIterable<unknown> as AsyncIterable<Uint8Array>);
}
