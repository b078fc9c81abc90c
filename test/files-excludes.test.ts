import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FilesRig } from './files-rig.ts';
import { bytePath, IS_ROOT, makeNames } from './files-sample-tree.ts';

describe('what a backup of files leaves out', () => {
  let rig: FilesRig;
  before(async () => {
    rig = await FilesRig.create();
  });
  after(() => rig.remove());

  let folders = 0;
  async function tree(files: readonly string[]): Promise<string> {
    const source = await rig.newFolder(`source ${folders++}`);
    for (const file of files) {
      mkdirSync(path.dirname(`${source}/${file}`), { recursive: true });
      writeFileSync(`${source}/${file}`, file);
    }
    return source;
  }

  /** Paths of what is backed up, relative to a folder. */
  async function kept(source: string, configuration: Record<string, unknown> = {}): Promise<string[]> {
    const { backup } = await rig.backUp({ paths: [source], ...configuration });
    return (await rig.entries(backup))
      .filter(({ type }) => type === 'file')
      .map((entry) => `/${entry.path}`.slice(source.length + 1));
  }

  const FILES = ['a.log', 'b.txt', 'build/x', 'keep.log', 'src/a.log', 'src/build/y', 'src/c.ts', 'src/deep/z.ts'];

  for (const [what, exclude, expected] of [
    ['nothing without patterns', [], FILES],
    ['what matches anywhere', ['*.log'], ['b.txt', 'build/x', 'src/build/y', 'src/c.ts', 'src/deep/z.ts']],
    [
      'not what a later pattern takes back',
      ['*.log', '!keep.log'],
      ['b.txt', 'build/x', 'keep.log', 'src/build/y', 'src/c.ts', 'src/deep/z.ts'],
    ],
    [
      'by anchored patterns only what lies at the root',
      ['/build', '/a.log'],
      ['b.txt', 'keep.log', 'src/a.log', 'src/build/y', 'src/c.ts', 'src/deep/z.ts'],
    ],
    [
      'folders with all that is in them',
      ['build/'],
      ['a.log', 'b.txt', 'keep.log', 'src/a.log', 'src/c.ts', 'src/deep/z.ts'],
    ],
    ['no file by a pattern for folders', ['b.txt/', 'c.ts/'], FILES],
    ['by `**` at any depth', ['src/**/*.ts'], FILES.filter((file) => !file.endsWith('.ts'))],
    [
      'all but a part of a folder',
      ['/src/*', '!/src/deep'],
      ['a.log', 'b.txt', 'build/x', 'keep.log', 'src/deep/z.ts'],
    ],
    ['nothing again that lies in a folder left out', ['src', '!src/c.ts'], ['a.log', 'b.txt', 'build/x', 'keep.log']],
    ['nothing by comments and empty lines', ['# *.log', '', '   '], FILES],
    ['with regard to case', ['*.LOG', 'SRC'], FILES],
  ] as const) {
    test(`leaves out ${what}`, async () => {
      assert.deepEqual(await kept(await tree(FILES), { exclude }), expected);
    });
  }

  test('anchors patterns at each of several roots', async () => {
    const first = await tree(['cache/x', 'kept/cache/x']);
    const second = await tree(['cache/y', 'file']);
    const { backup } = await rig.backUp({ paths: [first, second], exclude: ['/cache'] });
    const files = (await rig.entries(backup)).filter(({ type }) => type === 'file').map((entry) => `/${entry.path}`);
    assert.deepEqual(files, [`${first}/kept/cache/x`, `${second}/file`]);
  });

  test('never leaves out a root', async () => {
    const source = await tree(['file']);
    assert.deepEqual(await kept(source, { exclude: [path.basename(source), '/'] }), ['file']);
  });

  test('reads patterns from files, of any bytes and line ends', async () => {
    const source = await tree(['a.log', 'b.txt', 'c.tmp']);
    writeFileSync(bytePath(source, '\xff\xfe.bin'), 'x');
    const patterns = `${source}.patterns`;
    writeFileSync(patterns, Buffer.from('# comment\r\n*.log\r\n\n*.tmp\n\xff\xfe.bin\n', 'latin1'));
    assert.deepEqual(await kept(source, { excludeFiles: [patterns] }), ['b.txt']);
    await assert.rejects(rig.backUp({ paths: [source], excludeFiles: [`${patterns}.none`] }), {
      code: 'exclude-file-unreadable',
    });
  });

  test('keeps of a marked folder nothing but the folder', async () => {
    const source = await tree(['a/CACHEDIR.TAG', 'a/x', 'a/b/y', 'c/.nobackup', 'c/z', 'd/w']);
    const configuration = { excludeIfPresent: ['CACHEDIR.TAG', '.nobackup'] };
    assert.deepEqual(await kept(source, configuration), ['d/w']);
    const { backup } = await rig.backUp({ paths: [source], ...configuration });
    const folder = (await rig.entries(backup)).filter(({ type }) => type === 'directory').map((entry) => entry.path);
    assert.deepEqual(folder.map((each) => path.basename(each)).slice(1), ['a', 'c', 'd']);
  });

  test('no name of a file makes the rules fail', async () => {
    const source = await rig.newFolder('names');
    makeNames(source);
    for (const name of ['..a', '.. ', '~', '\r', 'a\r', ' lead', 'trail ', '[', ']', '?', 'x\\', '%', '\x01'])
      writeFileSync(bytePath(source, name), name);
    const all = await kept(source);
    assert.deepEqual(await kept(source, { exclude: ['nothing-like-it', '!nothing'] }), all);
    assert.deepEqual(await kept(source, { exclude: ['*'] }), []);
    for (const pattern of ['[', '[z-a]', '\\', '**', '!', '/', '//', '***/x', '[[:alpha:]]*', '(', 'a{', '\\[', '\xff'])
      await kept(source, { exclude: [pattern] });
  });

  test('walks roots that lie in other roots once, whatever leaves them out there', async () => {
    const source = await tree([
      'a-b/x',
      'a/inner/kept',
      'a/inner/deep/kept',
      'a/other',
      'marked/tag',
      'marked/in/y',
      'z',
    ]);
    const paths = [source, `${source}/a/inner`, `${source}/a/inner/deep`, `${source}/marked/in`, `${source}/z`];
    const expected = (files: readonly string[]): string[] => files.map((file) => `${source}/${file}`.slice(1));
    const backedUp = async (more: Record<string, unknown>): Promise<string[]> =>
      (await rig.entries((await rig.backUp({ paths, ...more })).backup))
        .filter(({ type }) => type === 'file')
        .map((entry) => entry.path);
    assert.deepEqual(
      await backedUp({}),
      expected(['a/inner/deep/kept', 'a/inner/kept', 'a/other', 'a-b/x', 'marked/in/y', 'marked/tag', 'z']),
    );
    assert.deepEqual(
      await backedUp({ exclude: ['/a', '/z', 'deep'], excludeIfPresent: ['tag'] }),
      expected(['a/inner/deep/kept', 'a/inner/kept', 'a-b/x', 'marked/in/y', 'z']),
    );
  });

  test('stays on a file system, but for roots on others', {
    skip: !IS_ROOT && 'only root may mount',
  }, async (context) => {
    const source = await tree(['file', 'mounted/hidden', 'z']);
    const mounted = `${source}/mounted`;
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mounted], { stdio: 'pipe' });
    } catch (error) {
      context.skip(`nothing can be mounted here: ${error}`);
      return;
    }
    try {
      mkdirSync(`${mounted}/folder`);
      writeFileSync(`${mounted}/folder/other`, 'x');
      assert.deepEqual(await kept(source), ['file', 'mounted/folder/other', 'z']);
      assert.deepEqual(await kept(source, { oneFileSystem: true }), ['file', 'z']);
      const { backup } = await rig.backUp({ paths: [source], oneFileSystem: true });
      assert.ok(
        (await rig.entries(backup)).some((entry) => `/${entry.path}` === mounted),
        'the mount point is kept',
      );
      for (const root of [mounted, `${mounted}/folder`])
        assert.deepEqual(await kept(source, { oneFileSystem: true, paths: [source, root] }), [
          'file',
          'mounted/folder/other',
          'z',
        ]);
    } finally {
      execFileSync('umount', [mounted]);
    }
  });
});
