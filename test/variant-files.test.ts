import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { HoldfastError } from '../src/core/errors.ts';
import type { DownloadChoice } from '../src/core/ports/service-download.ts';
import type { ContentSegment } from '../src/core/tree-entry.ts';
import { filePlanOf } from '../src/downloads/content/files/file-masker.ts';
import { readFileTree } from '../src/downloads/content/files/file-tree.ts';
import { maskArchive } from '../src/downloads/content/files/mask-archive.ts';
import { maskFile } from '../src/downloads/content/files/mask-file.ts';
import { headerBytesWithSize, tarHeaders } from '../src/downloads/content/files/tar-headers.ts';
import type { MaskingRun } from '../src/downloads/masking/masking-run.ts';
import { TRANSFORMERS } from '../src/downloads/masking/transformers.ts';
import type { FileTree } from '../src/downloads/policy/compile/compilation.ts';
import { type CompiledPolicy, compilePolicy } from '../src/downloads/policy/compile/compile-policy.ts';
import type { MaskingPolicy } from '../src/downloads/policy/masking-policy.ts';
import { readPolicy } from '../src/downloads/policy/read-policy.ts';
import { parsePredicate } from '../src/downloads/predicate/parse-predicate.ts';
import { tarHeader } from '../src/services/files/tar-header.ts';
import { downloaded } from './downloaded-content.ts';
import { assertSameTree, describeTree } from './files-comparison.ts';
import { FilesRig } from './files-rig.ts';
import { IS_ROOT, makeContents, makeHardLinks, makeMetadata, makeNames, makeSparse } from './files-sample-tree.ts';
import { PolicyVariants } from './policy-variants-rig.ts';
import { chunked, collected } from './variant-rig.ts';

const USERS = `"id";"email";"note"\r\n${Array.from({ length: 20_000 }, (_, id) => `${id};jane${id}@corp.example;"says ""hi"" ${id}"\r\n`).join('')}`;
const RULES = `
  source/cache/**: drop
  "**/users*.csv":
    csv: { delimiter: ";", columns: { id: keep, email: email, note: keep } }
  "**/*.tsv":
    csv: { delimiter: "\\t", header: false, columns: { 1: keep, 2: name } }
  "**/*.json":
    json: { paths: { $.id: keep } }
  "**/*.jsonl":
    json: { paths: { $.id: keep, $.email: email } }
  "**": keep
`;

describe('the variant of a tree of files', { timeout: 600_000 }, () => {
  let rig: FilesRig;
  before(async () => {
    rig = await FilesRig.create();
  });
  after(() => rig.remove());

  async function archiveOf(source: string, choice: Partial<DownloadChoice> = {}): Promise<Buffer> {
    const { backup } = await rig.backUp({ paths: [source] });
    return (await downloaded(rig.service, rig.repository, backup, { format: 'tar', ...choice })).bytes;
  }

  async function shop(name: string): Promise<string> {
    const source = await rig.newFolder(`${name}/source`);
    for (const folder of ['cache', 'exports/empty', 'exports/long'.padEnd(150, 'x')])
      mkdirSync(`${source}/${folder}`, { recursive: true });
    writeFileSync(`${source}/cache/secret`, 'jane@corp.example');
    writeFileSync(`${source}/exports/users-é.csv`, USERS);
    utimesSync(`${source}/exports/users-é.csv`, 1_700_000_000.123, 1_700_000_000.123);
    linkSync(`${source}/exports/users-é.csv`, `${source}/exports/users-latest.csv`);
    symlinkSync('users-é.csv', `${source}/exports/users.csv`);
    writeFileSync(`${source}/exports/names.tsv`, '\ufeff1\tJane Doe\n2\t\n');
    writeFileSync(`${source}/exports/nothing.tsv`, '');
    writeFileSync(`${source}/order.json`, '{"id": 7, "by": "jane@corp.example"}\n');
    writeFileSync(`${source}/other.json`, '["jane@corp.example", {"id": "é"}]');
    writeFileSync(`${source}/order.jsonl`, '{"id":1,"email":"jane1@corp.example"}\n\n{"id":2}');
    writeFileSync(`${source}/readme.txt`, 'kept'.repeat(100_000));
    return source;
  }

  for (const make of [makeContents, makeNames, makeMetadata, makeHardLinks, makeSparse])
    test(`is byte for byte the tree where all of it is kept: ${make.name}`, {
      skip: IS_ROOT ? false : 'only root can unpack owners and devices',
    }, async () => {
      const source = await rig.newFolder(`${make.name}/source`);
      make(source);
      const archive = await archiveOf(source);
      const variant = await collected(maskArchive(chunked(archive, 65_536, 7), run('\n  "**": keep\n'), options(rig)));
      assert.ok(variant.equals(archive));
      const target = untar(variant, `${rig.folder}/${make.name}/target`);
      assertSameTree(`${target}/source`, source);
    });

  test('has masked files, no dropped ones, and all others as they were', async () => {
    const source = await shop('shop');
    const making = run(RULES);
    const target = untar(
      await collected(maskArchive(chunked(await archiveOf(source), 65_536), making, options(rig))),
      `${rig.folder}/shop/target`,
    );
    const [there, was] = [describeTree(`${target}/source`), describeTree(source)];
    was.delete('cache');
    was.delete('cache/secret');
    assert.deepEqual([...there.keys()], [...was.keys()]);
    const changed = [...was].filter(([name, facts]) => there.get(name)?.sha256 !== facts.sha256).map(([name]) => name);
    const users = Buffer.from('exports/users-é.csv').toString('latin1');
    assert.deepEqual(
      changed.sort(),
      ['exports/names.tsv', users, 'exports/users-latest.csv', 'order.json', 'order.jsonl', 'other.json'].sort(),
    );
    for (const [name, { sha256: _, size: __, ...facts }] of was) {
      const { sha256: ___, size: ____, ...now } = there.get(name)!;
      assert.deepEqual(now, facts, name);
    }
    const masked = readFileSync(`${target}/source/exports/users-é.csv`, 'utf8');
    assert.doesNotMatch(masked, /corp\.example/);
    const [header, first] = masked.split('\r\n');
    assert.equal(header, '"id";"email";"note"');
    assert.match(first ?? '', /^0;[^;"@]+@[^;"]+;"says ""hi"" 0"$/);
    assert.equal(masked.split('\r\n').length, USERS.split('\r\n').length);
    assert.match(readFileSync(`${target}/source/exports/names.tsv`, 'utf8'), /^\ufeff1\t(?!Jane Doe)[^\t]+\n2\t\n$/);
    assert.equal(readFileSync(`${target}/source/order.json`, 'utf8'), '{"id": 7, "by": "[redacted]"}\n');
    assert.match(
      readFileSync(`${target}/source/order.jsonl`, 'utf8'),
      /^\{"id":1,"email":"[^"]+@[^"]+"\}\n\n\{"id":2\}$/,
    );
    const counts = Object.fromEntries(
      [...making.counts.tables].map(([name, { rowsIn, rowsOut }]) => [name, [rowsIn, rowsOut]]),
    );
    assert.deepEqual(counts, {
      '**/users*.csv': [20_000, 20_000],
      '**/*.tsv': [2, 2],
      '**/*.json': [2, 2],
      '**/*.jsonl': [2, 2],
    });
  });

  test('is the same whatever the sizes of pieces and the number of threads', async () => {
    const archive = await archiveOf(await shop('same'));
    const [first, ...others] = await Promise.all(
      (
        [
          [[archive.length], 1],
          [[4096, 1], 3],
          [[513, 100_000], 2],
        ] as const
      ).map(([sizes, threads]) =>
        collected(maskArchive(chunked(archive, ...sizes), run(RULES, { threads }), options(rig))),
      ),
    );
    for (const other of others) assert.ok(first?.equals(other));
  });

  test('is made of archives as other programs write them', async () => {
    const source = await shop('others');
    for (const flags of [
      ['--format=gnu'],
      ['--format=ustar', '--exclude=long*'],
      ['--format=pax', '--pax-option=comment=of all'],
    ]) {
      const { stdout } = spawnSync('tar', ['-c', ...flags, '-C', path.dirname(source), '-f', '-', './source'], {
        maxBuffer: 1 << 27,
      });
      const kept = await collected(maskArchive(chunked(stdout, 10_007), run('\n  "**": keep\n'), options(rig)));
      assert.ok(kept.equals(stdout.subarray(0, kept.length)) && kept.length > stdout.length - 10_240, flags.join(' '));
      const making = maskArchive(chunked(stdout, 10_007), run(RULES), options(rig));
      const target = untar(await collected(making), `${rig.folder}/others/${flags[0]}`);
      assert.doesNotMatch(readFileSync(`${target}/source/exports/users-é.csv`, 'utf8'), /corp\.example/);
      assert.ok(!readdirSync(`${target}/source`).includes('cache'));
    }
    const old = spawnSync('tar', ['-c', '--format=v7', '-C', source, '-f', '-', 'readme.txt']).stdout;
    const refused = { code: 'variant-content-unreadable' };
    await assert.rejects(collected(maskArchive(chunked(old, 512), run('\n  "**": keep\n'), options(rig))), refused);
  });

  test('is held against a policy by the names of its files and of their columns', async () => {
    const source = await rig.newFolder('tree/source');
    writeFileSync(`${source}/a.csv`, '\ufeff"id",email,phone\n1,SECRET,\n');
    writeFileSync(`${source}/b.csv`, 'SECRET,SECRET2\n');
    writeFileSync(`${source}/empty.csv`, '');
    writeFileSync(`${source}/other`, 'x');
    const policy = policyOf('\n  "**/*.csv": { csv: { columns: { id: keep, email: email } } }\n');
    const tree = await readFileTree(chunked(await archiveOf(source), 1000), policy.files, new AbortController().signal);
    assert.deepEqual(tree.paths, ['source/a.csv', 'source/b.csv', 'source/empty.csv', 'source/other']);
    assert.deepEqual(
      tree.tables.map(({ name, columns }) => [name, ...columns.map((column) => column.name)]),
      [['source/a.csv', 'id', 'email', 'phone']],
    );
    const { problems } = compiled(policy, tree);
    assert.deepEqual(
      problems?.map(({ code, table }) => [code, table]),
      [
        ['file-not-named', 'source/other'],
        ['column-not-named', 'source/a.csv'],
      ],
    );
    assert.doesNotMatch(JSON.stringify([tree, problems]), /SECRET/);
  });

  test('is made by the policy of its resource, counted and searched for originals, as is a stream', async () => {
    const variants = await PolicyVariants.create();
    try {
      await variants.policy(`variants: { masked: { keep: full } }\nfiles:${RULES}`);
      const bytes = await archiveOf(await shop('policy'));
      const { report, ...made } = await variants.make({ bytes, format: 'tar' }, 'masked');
      assert.ok(untar(made.bytes, `${rig.folder}/policy/target`));
      assert.deepEqual(
        report.tables.find(({ name }) => name.startsWith('**/users')),
        { name: '**/users*.csv', rowsIn: 20_000, rowsOut: 20_000 },
      );
      assert.ok(report.canary.originals > 1000 && report.canary.looked > 100, JSON.stringify(report.canary));
      await variants.policy(
        'variants: { masked: { keep: full } }\nfiles: { content: { csv: { columns: { id: keep, email: email } } } }',
      );
      const stream = await variants.make(
        { bytes: Buffer.from('id,email\n1,jane@corp.example\n'), format: 'bytes' },
        'masked',
      );
      assert.match(stream.bytes.toString(), /^id,email\n1,[^@]+@(?!corp)[^@]+\n$/);
      const kept = await shop('leak');
      writeFileSync(`${kept}/orders.log`, 'GET /cart?user=jane77@corp.example 200\n');
      await variants.policy(`variants: { masked: { keep: full } }\nfiles:${RULES}`);
      const leaky = { bytes: await archiveOf(kept), format: 'tar' as const };
      await assert.rejects(variants.make(leaky, 'masked'), { code: 'variant-leaks', message: /the text of files/ });
      await variants.policy(
        'variants: { masked: { keep: full } }\nfiles: { content: { csv: { columns: { id: keep, email: email } } } }',
      );
      const leak = 'jane.doe@corp.example';
      const leaking = { bytes: Buffer.from(`id,email\n${leak},${leak}\n`), format: 'bytes' as const };
      await assert.rejects(variants.make(leaking, 'masked'), { code: 'variant-leaks' });
    } finally {
      await variants.remove();
    }
  });

  test('fails at a file that no pattern means, before anything of it', async () => {
    const source = await rig.newFolder('unnamed/source');
    writeFileSync(`${source}/a.txt`, 'kept');
    writeFileSync(`${source}/b.csv`, 'secret');
    const given: Uint8Array[] = [];
    await assert.rejects(
      async () => {
        const rules = '\n  source/*.txt: keep\n';
        for await (const piece of maskArchive(chunked(await archiveOf(source), 100), run(rules), options(rig)))
          given.push(piece);
      },
      { code: 'variant-failed', message: /"source\/b\.csv" is meant by no pattern/, details: { file: 'source/b.csv' } },
    );
    assert.doesNotMatch(Buffer.concat(given).toString('latin1'), /b\.csv|secret/);
  });

  test('has further names of a file only where that is given by the same rules', async () => {
    const source = await rig.newFolder('names/source');
    writeFileSync(`${source}/a.csv`, 'email\njane@corp.example\n');
    linkSync(`${source}/a.csv`, `${source}/b.txt`);
    const archive = await archiveOf(source);
    const csv = '{ csv: { columns: { email: email } } }';
    const made = (rules: string) => collected(maskArchive(chunked(archive, 999), run(rules), options(rig)));
    await assert.rejects(made('\n  source/a.csv: drop\n  "**": keep\n'), {
      message: /another name of "source\/a\.csv", which is left out/,
    });
    await assert.rejects(made(`\n  source/a.csv: keep\n  "**": ${csv}\n`), { message: /whose rules are others/ });
    const followed = untar(await made(`\n  source/a.csv: ${csv}\n  "**": keep\n`), `${rig.folder}/names/followed`);
    assert.doesNotMatch(readFileSync(`${followed}/source/b.txt`, 'utf8'), /jane/);
    const alone = untar(await made('\n  source/b.txt: drop\n  "**": keep\n'), `${rig.folder}/names/alone`);
    assert.deepEqual(readdirSync(`${alone}/source`), ['a.csv']);
  });

  test('of one file is that file, and no variant where it has no rules or is left out', async () => {
    const making = run('\n  kept: keep\n  dropped: drop\n');
    const plans = making.plan.content.kind === 'files' ? making.plan.content.files : [];
    const made = (name: string) =>
      collected(maskFile(chunked(Buffer.from('x,y')), filePlanOf(plans, name), name, making));
    assert.equal((await made('kept')).toString(), 'x,y');
    await assert.rejects(made('dropped'), { code: 'variant-failed', message: /left out/ });
    await assert.rejects(made('other'), { code: 'variant-failed', message: /no pattern/ });
  });

  const drifts: [string, string, RegExp][] = [
    ['a column more', 'id,email,SECRET\n', /has "SECRET", which the masking policy does not name/],
    ['a column less', 'id\n', /has not "email", which the masking policy names/],
    ['a column twice', 'id,email,id\n', /has "id" more than once/],
    ['no header', 'SECRET1,SECRET2\n', /has 2 fields of which most are no columns/],
    [
      'a row of another length',
      'id,email\n1,a@example.org\nSECRET\n',
      /Row 2 of table .* 1 fields where there are 2 columns/,
    ],
    ['a column without a name', 'email,id,\n', /has ""/],
  ];
  for (const [what, content, message] of drifts)
    test(`fails at a CSV file with ${what}, by name`, async () => {
      const rules = '\n  "**": { csv: { columns: { id: keep, email: email } } }\n';
      const making = run(rules);
      const plan = making.plan.content.kind === 'files' ? filePlanOf(making.plan.content.files, 'content') : undefined;
      await assert.rejects(collected(maskFile(chunked(Buffer.from(content), 3), plan, 'content', making)), (error) => {
        assert.ok(error instanceof HoldfastError && error.code === 'variant-failed', String(error));
        assert.match(error.message, message);
        assert.equal(error.details.file, 'content');
        if (what !== 'a column more') assert.doesNotMatch(error.message, /SECRET/);
        return true;
      });
    });
});

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

test('a policy says of CSV only what can be', () => {
  const refused: [string, RegExp][] = [
    ['{ delimiter: ";", quote: ";", columns: { a: keep } }', /must not be the delimiter/],
    ['{ delimiter: "\\n", columns: { a: keep } }', /no line break/],
    ['{ quote: "“", columns: { a: keep } }', /ASCII/],
    ['{ header: false, columns: { a: keep, 1: keep } }', /whole numbers stand first/],
  ];
  for (const [csv, message] of refused) assert.throws(() => run(`\n  "**": { csv: ${csv} }\n`), { message });
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

function options(rig: FilesRig) {
  return { temporaryFolder: rig.folder };
}

/** @param rules what stands under `files` in the policy */
function run(rules: string, more: Partial<MaskingRun> = {}): MaskingRun {
  const { plan, problems } = compiled(policyOf(rules), { dialect: 'csv', tables: [] });
  assert.ok(plan, JSON.stringify(problems));
  const signal = new AbortController().signal;
  return { plan, key: new Uint8Array(32), threads: 2, signal, counts: { tables: new Map() }, ...more };
}

function policyOf(rules: string): MaskingPolicy {
  const text = `version: 1\nresource: shop\nkey: env:KEY\nepoch: "1"\nvariants: { masked: { keep: full } }\nfiles:${rules}`;
  return readPolicy(text, { name: 'shop.yaml', parsePredicate });
}

function compiled(policy: MaskingPolicy, content: FileTree): CompiledPolicy {
  const language = { checkPredicate: () => undefined, checkJsonPaths: () => undefined };
  return compilePolicy({ policy, variant: 'masked', content, transformers: TRANSFORMERS, language });
}

/** @returns the folder */
function untar(archive: Buffer, target: string): string {
  mkdirSync(target, { recursive: true });
  const flags = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--same-owner', '--preserve-permissions'];
  const { status, stderr } = spawnSync('tar', ['-x', ...flags, '-C', target, '-f', '-'], { input: archive });
  assert.equal(status, 0, stderr.toString());
  return target;
}
