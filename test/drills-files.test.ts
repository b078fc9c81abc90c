import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { DrillChecks } from '../src/core/drill-checks.ts';
import type { SnapshotReader, TaskModuleReference } from '../src/core/ports/repository.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { DrillContext } from '../src/core/ports/service-drill.ts';
import { createFilesService } from '../src/services/files/files-service.ts';
import { check, DrillRig, outcomes } from './drill-rig.ts';
import { FilesRig } from './files-rig.ts';
import { makeContents, makeHardLinks, makeMetadata, makeNames, makeSparse } from './files-sample-tree.ts';

describe('restore drills of file trees', () => {
  let rig: DrillRig;
  let tree: string;
  /** Called between the restore and the comparison, with the folder that was restored into. */
  let meanwhile: ((restored: string) => Promise<void>) | undefined;
  before(async () => {
    rig = await DrillRig.create([disturbed(createFilesService(), async (folder) => meanwhile?.(folder))]);
    tree = path.join(rig.folder, 'tree');
    for (const [name, make] of Object.entries(PARTS)) {
      await mkdir(path.join(tree, name), { recursive: true });
      make(path.join(tree, name));
    }
    await writeFile(path.join(tree, 'greeting.txt'), 'Hello, drill!\n');
    await symlink('/etc', path.join(tree, 'way out'));
    await rig.managed.application.resources.put({ id: 'tree', service: 'files', configuration: { paths: [tree] } });
    await rig.backUp('tree');
  });
  after(() => rig.remove());
  afterEach(async () => {
    meanwhile = undefined;
    assert.deepEqual(await rig.leftovers(), []);
  });

  test('compare every entry and every byte, of whatever kind', async () => {
    const { drill } = await rig.drill('tree');
    assert.equal(drill.error?.message, undefined);
    assert.deepEqual(outcomes(drill), [
      'restored passed',
      'content passed',
      'entries passed',
      'metadata passed',
      'attributes passed',
    ]);
    assert.match(check(drill, 'content')?.found ?? '', /^\d+ files, \d{7,} bytes compared$/);
  });

  const DAMAGES: [what: string, name: string, message: RegExp, damage: (restored: string) => Promise<void>][] = [
    ['a missing file', 'entries', /greeting\.txt is missing/, (at) => rm(path.join(at, 'greeting.txt'))],
    ['a file too many', 'entries', /1 names are there/, (at) => writeFile(path.join(at, 'more'), '')],
    [
      'another byte',
      'content',
      /greeting.txt differs/,
      (at) => writeFile(path.join(at, 'greeting.txt'), 'Hello, drull!\n'),
    ],
    ['a shorter file', 'content', /has 5 bytes instead of 14/, (at) => truncate(path.join(at, 'greeting.txt'), 5)],
    [
      'another time',
      'metadata',
      /greeting.txt was changed at 2001/,
      (at) => utimes(path.join(at, 'greeting.txt'), 1e9, 1e9),
    ],
    [
      'a link that leads elsewhere',
      'entries',
      /way out leads to \/usr/,
      async (at) => {
        await rm(path.join(at, 'way out'));
        await symlink('/usr', path.join(at, 'way out'));
      },
    ],
    [
      'a hole that was filled',
      'content',
      /has other bytes than zeros/,
      async (at) => {
        const file = path.join(at, 'sparse', 'large whole');
        const size = 2 * 1024 * 1024 * 4;
        await writeFile(file, Buffer.alloc(size, 1));
      },
    ],
  ];
  for (const [what, name, message, damage] of DAMAGES)
    test(`fail because of ${what} and name it`, async () => {
      meanwhile = (folder) => damage(path.join(folder, 'tree', 'tree'));
      const { drill } = await rig.drill('tree');
      assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
      const failed = check(drill, name);
      assert.equal(failed?.outcome, 'failed');
      assert.match(failed?.details?.join('\n') ?? '', message);
      assert.match(drill.error?.message ?? '', /expected/);
    });

  test('look at files by assertions, and never through a link', async () => {
    const sha256 = createHash('sha256').update('Hello, drill!\n').digest('hex');
    const listed = `${tree.slice(1)}/greeting.txt`;
    const good = await rig.drill('tree', {
      assertions: [
        { path: listed, sha256, minimumSize: 14, contains: 'drill' },
        { path: `${tree}/contents` },
        { path: `${tree}/nothing`, exists: false },
        { path: '/etc/passwd', exists: false },
      ],
    });
    assert.equal(good.drill.error?.message, undefined);
    const { drill } = await rig.drill('tree', {
      assertions: [
        { path: listed, sha256: '0'.repeat(64) },
        { path: listed, contains: 'Goodbye' },
        { path: listed, minimumSize: 15 },
        { path: `${tree}/nothing` },
        { path: `${tree}/way out/passwd`, contains: 'root' },
        { path: `${tree}/../../../etc/passwd` },
      ],
    });
    const found = drill.checks.filter(({ kind }) => kind === 'assertion');
    assert.deepEqual(
      found.map(({ outcome }) => outcome),
      Array(6).fill('failed'),
    );
    assert.equal(drill.fault, 'assertion');
  });

  test('take a tree whose paths lead out of it for damaged, and write nothing there', async () => {
    const hostile = await FilesRig.create();
    try {
      const own = { mode: 0o644, uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, modifiedAt: 1n };
      const content = { inline: Buffer.from('hostile') };
      const backup = await hostile.commitTree([{ ...own, path: '../out', type: 'file', size: 7, content }]);
      const folder = await hostile.newFolder('drill');
      const reader = await hostile.repository.openSnapshot(backup.id);
      const checks = new DrillChecks();
      const drill = hostile.service.drill!({
        ...{ backup, chain: [{ backup, reader }], assertions: [], folder, checks },
        signal: new AbortController().signal,
        report: () => undefined,
        warn: () => undefined,
        requireRoom: async () => undefined,
        dataReady: () => undefined,
      });
      await assert.rejects(drill, { kind: 'damaged', code: 'path-escapes-target' });
      assert.equal(checks.failed().length, 1);
      assert.ok(!(await readdir(folder)).includes('out'));
      await reader.close();
    } finally {
      await hostile.remove();
    }
  });

  test('fail because of a damaged pack and name the file', async () => {
    await rig.damagePacks();
    const { drill } = await rig.drill('tree');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.equal(check(drill, 'restored')?.outcome, 'failed');
    assert.match(drill.error?.message ?? '', /cannot be restored|pack/);
  });
});

const PARTS = {
  contents: makeContents,
  sparse: makeSparse,
  names: makeNames,
  metadata: makeMetadata,
  links: makeHardLinks,
};

/** A service whose drills are disturbed right before they compare what was restored. */
function disturbed(service: Service, disturb: (folder: string) => Promise<void>): Service {
  const watch = (reader: SnapshotReader, folder: string): SnapshotReader => ({
    record: reader.record,
    concurrency: reader.concurrency,
    read: (...given) => reader.read(...given),
    entries: (options) => reader.entries(options),
    pages: () => reader.pages(),
    segments: (content) => reader.segments(content),
    plan: (wanted) => reader.plan(wanted),
    tasks: <Task, Result>(module: TaskModuleReference) => {
      const runner = reader.tasks<Task, Result>(module);
      if (!module.module.includes('comparison-task')) return runner;
      const before = disturb(folder);
      return { run: async (task: Task) => before.then(() => runner.run(task)) };
    },
    close: () => reader.close(),
  });
  return {
    ...service,
    drill: (context: DrillContext) => {
      const chain = context.chain.map(({ backup, reader }) => ({ backup, reader: watch(reader, context.folder) }));
      return service.drill!({ ...context, chain });
    },
  };
}
