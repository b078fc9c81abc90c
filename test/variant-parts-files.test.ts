import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import type { DownloadChoice, DownloadFormat } from '../src/core/ports/service-download.ts';
import type { VariantContent } from '../src/core/ports/variant-maker.ts';
import { downloaded, openDownload } from './downloaded-content.ts';
import { FilesRig } from './files-rig.ts';
import { gather } from './managed-application.ts';
import { PolicyVariants } from './policy-variants-rig.ts';
import { untar } from './variant-files-rig.ts';

const POLICY = (rules: string) => `variants: { masked: { keep: full } }\nfiles:${rules}`;
const RULES = `
  source/cache/**: drop
  "**/users*.csv": { csv: { columns: { id: keep, email: email } } }
  "**": keep
`;

describe('some paths of the variant of a tree of files', { timeout: 300_000 }, () => {
  let rig: FilesRig;
  let variants: PolicyVariants;
  let folders = 0;
  const signal = new AbortController().signal;

  before(async () => {
    rig = await FilesRig.create();
    variants = await PolicyVariants.create();
  });
  after(async () => {
    await rig.remove();
    await variants.remove();
  });
  beforeEach(() => variants.policy(POLICY(RULES)));

  async function shop(change: (source: string) => void = () => undefined): Promise<Backup> {
    const source = await rig.newFolder(`${++folders}/source`);
    for (const folder of ['cache', 'exports', 'docs']) mkdirSync(`${source}/${folder}`);
    writeFileSync(`${source}/cache/secret`, 'jane@corp.example');
    writeFileSync(`${source}/exports/users.csv`, 'id,email\n1,jane@corp.example\n2,john@corp.example\n');
    writeFileSync(`${source}/exports/users-old.csv`, 'id,email\n1,jane@corp.example\n');
    writeFileSync(`${source}/docs/readme.txt`, 'kept'.repeat(1000));
    symlinkSync('readme.txt', `${source}/docs/link`);
    change(source);
    return (await rig.backUp({ paths: [source] })).backup;
  }

  async function made(backup: Backup, paths?: readonly string[], format: DownloadFormat = 'tar'): Promise<Buffer> {
    const content: VariantContent = {
      ...{ resourceId: 'shop', snapshotId: backup.id, format },
      open: ({ schemaOnly, parts }) => {
        const choice: DownloadChoice = { format, ...parts, ...(schemaOnly ? { schemaOnly } : {}) };
        return openDownload(rig.service, rig.repository, backup, choice, signal);
      },
    };
    const { material } = await variants.maker.plan(content, 'masked', signal);
    const opened = await material(signal, paths === undefined ? undefined : { paths });
    try {
      return await gather(opened.material.bytes());
    } finally {
      await opened.close();
    }
  }

  it('are the files of the whole variant, and no others', async () => {
    const backup = await shop();
    const whole = untar(await made(backup), `${rig.folder}/${folders}/whole`);
    const bytes = await made(backup, ['source/exports/users.csv', '/source/docs/']);
    const part = untar(bytes, `${rig.folder}/${folders}/part`);
    for (const name of ['exports/users.csv', 'docs/readme.txt', 'docs/link'])
      assert.ok(readFileSync(`${part}/source/${name}`).equals(readFileSync(`${whole}/source/${name}`)), name);
    assert.deepEqual(
      [existsSync(`${part}/source/cache`), existsSync(`${part}/source/exports/users-old.csv`)],
      [false, false],
    );
    assert.ok(!bytes.includes('corp.example'));
    // The same pseudonym in both files.
    const old = untar(await made(backup, ['source/exports/users-old.csv']), `${rig.folder}/${folders}/old`);
    const [, jane] = readFileSync(`${old}/source/exports/users-old.csv`, 'utf8').split('\n');
    assert.ok(jane !== undefined && readFileSync(`${part}/source/exports/users.csv`, 'utf8').includes(`${jane}\n`));
  });

  it('are not given where a rule for other files meets nothing, or a file has none: what was renamed may be among them', async () => {
    await variants.policy(POLICY(RULES.replace('users*', 'people*')));
    await assert.rejects(made(await shop(), ['source/exports']), { code: 'variant-failed', message: /people/ });
    await variants.policy(POLICY(RULES.replace('"**": keep', 'source/docs/**: keep')));
    const other = await shop((source) => writeFileSync(`${source}/new.txt`, 'new'));
    await assert.rejects(made(other, ['source/docs']), { code: 'variant-failed', message: /new\.txt/ });
  });

  it('that there are not are refused in the same words as those that are left out', async () => {
    const backup = await shop();
    for (const path of ['source/absent', 'source/cache', 'source/cache/secret', 'exports/user', '/'])
      await assert.rejects(made(backup, ['source/docs', path]), {
        code: 'download-choice-invalid',
        message: `The variant has nothing at ${path.replaceAll(/^\/+/g, '')}. Name paths as the archive of the whole variant names them.`,
      });
    await assert.rejects(made(backup, []), { code: 'download-choice-invalid' });
    await assert.rejects(made(backup, ['source/docs/readme.txt'], 'bytes'), { code: 'download-choice-invalid' });
  });

  it('are never a file as it was, of which another name is masked', async () => {
    const backup = await shop((source) => linkSync(`${source}/exports/users.csv`, `${source}/exports/zz.txt`));
    const raw = await downloaded(rig.service, rig.repository, backup, {
      format: 'tar',
      paths: ['source/exports/zz.txt'],
    });
    assert.ok(raw.bytes.includes('jane@corp.example'), 'alone it is a file of its own');
    assert.ok(!(await made(backup)).includes('jane@corp.example'));
    for (const path of ['source/exports/zz.txt', 'source/docs'])
      await assert.rejects(made(backup, [path]), { code: 'download-choice-invalid', message: /names of one file/ });
  });

  it('are decided by names, without the contents of other files', async () => {
    const backup = await shop();
    const { bytes } = await downloaded(rig.service, rig.repository, backup, { format: 'tar', schemaOnly: true });
    const target = untar(bytes, `${rig.folder}/${folders}/names`);
    assert.equal(readFileSync(`${target}/source/exports/users.csv`).length, 0);
    assert.ok(!bytes.includes('corp.example') && !bytes.includes('keptkept'));
  });
});
