import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import type { DownloadChoice } from '../src/core/ports/service-download.ts';
import { filePlanOf } from '../src/downloads/content/files/file-masker.ts';
import { readFileTree } from '../src/downloads/content/files/file-tree.ts';
import { maskArchive } from '../src/downloads/content/files/mask-archive.ts';
import { maskFile } from '../src/downloads/content/files/mask-file.ts';
import { downloaded } from './downloaded-content.ts';
import { assertSameTree, describeTree } from './files-comparison.ts';
import { FilesRig } from './files-rig.ts';
import { IS_ROOT, makeContents, makeHardLinks, makeMetadata, makeNames, makeSparse } from './files-sample-tree.ts';
import { PolicyVariants } from './policy-variants-rig.ts';
import { compiled, policyOf, run, untar } from './variant-files-rig.ts';
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

test('a policy says of CSV only what can be', () => {
  const refused: [string, RegExp][] = [
    ['{ delimiter: ";", quote: ";", columns: { a: keep } }', /must not be the delimiter/],
    ['{ delimiter: "\\n", columns: { a: keep } }', /no line break/],
    ['{ quote: "“", columns: { a: keep } }', /ASCII/],
    ['{ header: false, columns: { a: keep, 1: keep } }', /whole numbers stand first/],
  ];
  for (const [csv, message] of refused) assert.throws(() => run(`\n  "**": { csv: ${csv} }\n`), { message });
});

function options(rig: FilesRig) {
  return { temporaryFolder: rig.folder };
}
