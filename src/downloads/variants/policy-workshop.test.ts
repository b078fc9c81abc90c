import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import type { DownloadMaterial } from '../../core/ports/service-download.ts';
import type { VariantContent } from '../../core/ports/variant-maker.ts';
import { createPolicyWorkshop } from './policy-workshop.ts';

const { signal } = new AbortController();
let folder: string;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'hf-workshop-'));
  await mkdir(path.join(folder, 'policies'));
});
after(() => rm(folder, { recursive: true, force: true }));

function workshop() {
  return createPolicyWorkshop({
    ...{ policyFolder: path.join(folder, 'policies'), transformerFolder: undefined },
    resolveSecret: async () => 'a key of the tests, long enough',
  });
}

/** @param given pieces of the content; `pulled` and `open` tell what became of them */
function contentOf(
  resourceId: string,
  facts: Pick<VariantContent, 'format' | 'dialect'>,
  given: readonly (string | Uint8Array)[],
): VariantContent & { pulled: number; isOpen: number } {
  const content = {
    ...{ resourceId, snapshotId: 'backup-1', ...facts, pulled: 0, isOpen: 0 },
    async open() {
      content.isOpen++;
      const material = {
        ...facts,
        async *bytes() {
          for (const piece of given) {
            content.pulled++;
            yield Buffer.from(piece as string);
          }
        },
      } as unknown as DownloadMaterial;
      return { material, close: async () => void content.isOpen-- };
    },
  };
  return content;
}

/** Drafts a policy, puts it into the folder and previews its variant. */
async function drafted(content: ReturnType<typeof contentOf>) {
  const text = await workshop().draft(content, { key: 'env:KEY', sampledRows: 100 }, signal);
  await writeFile(path.join(folder, 'policies', `${content.resourceId}.yaml`), text);
  const preview = await workshop().preview(content, { variant: 'masked', rows: 3 }, signal);
  assert.equal(content.isOpen, 0, 'all that was opened is closed');
  return { text, preview };
}

test('a policy of a SQLite database is drafted, and its rows are shown masked', async () => {
  const file = path.join(folder, 'app.db');
  const database = new DatabaseSync(file);
  database.exec(`CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, shout TEXT AS (upper(email)));
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
    INSERT INTO users (id, email) SELECT i, 'secret' || i || '@corp.example' FROM n`);
  database.close();
  const { text, preview } = await drafted(contentOf('app', { format: 'sqlite' }, [await readFile(file)]));
  assert.match(text, /email: \{ rule: email, type: text \} {2}# email \(high\): 100 %/);
  const [users] = preview.tables;
  assert.deepEqual(
    users?.rows.map(([id]) => id),
    ['1', '2', '3'],
  );
  assert.match(users?.rows[0]?.[1] ?? '', /@example\.test$/);
  assert.doesNotMatch(JSON.stringify([text, preview]), /secret|corp/i);
});

test('what MariaDB writes for computed columns, which is made of originals, is not shown', async () => {
  const dump = [
    '-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB\n\n',
    'CREATE TABLE `users` (\n  `id` int(11) NOT NULL,\n  `email` varchar(200) DEFAULT NULL,\n',
    '  `shout` varchar(200) GENERATED ALWAYS AS (ucase(`email`)) VIRTUAL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB;\n',
    "INSERT INTO `users` VALUES\n(1,'secret1@corp.example','SECRET1@CORP.EXAMPLE'),\n(2,NULL,NULL);\n-- Dump completed\n",
  ];
  const { preview } = await drafted(contentOf('maria', { format: 'sql', dialect: 'mysql' }, [dump.join('')]));
  assert.deepEqual(preview.tables[0]?.columns, ['id', 'email', 'shout']);
  assert.deepEqual(preview.tables[0]?.rows[1], ['2', null, undefined]);
  assert.doesNotMatch(JSON.stringify(preview), /secret|corp/i);
});

test('a preview says of which columns the database derives the values, and a draft where that is of use', async () => {
  const dump = [
    '-- PostgreSQL database dump\n\nCREATE TABLE public.posts (id bigint NOT NULL, title text, words tsvector);\n',
    "COPY public.posts (id, title, words) FROM stdin;\n1\tof 'secret'\t'secret':1\n\\.\n\n-- PostgreSQL database dump complete\n",
  ];
  const content = contentOf('blog', { format: 'sql', dialect: 'postgresql' }, dump);
  const { text } = await drafted(content);
  assert.match(text, /words: \{ rule: null, type: tsvector \} {2}# search: .*derive/);
  const derived = text
    .replace('title: { rule: keep,', 'title: { rule: lorem,')
    .replace('rule: null', `rule: { derive: "to_tsvector('simple', title)" }`);
  await writeFile(path.join(folder, 'policies', 'blog.yaml'), derived);
  const { tables } = await workshop().preview(content, { variant: 'masked', rows: 3 }, signal);
  assert.deepEqual(tables[0]?.derived, ['words']);
  assert.deepEqual([tables[0]?.rows[0]?.[0], tables[0]?.rows[0]?.[2]], ['1', undefined]);
  assert.doesNotMatch(JSON.stringify(tables), /secret/);
});

const HEAD =
  '-- PostgreSQL database dump\n\nCREATE TABLE public.a (id bigint NOT NULL, email text);\nCREATE TABLE public.b (id bigint);\n';

function dumpOf(pieces: number): string[] {
  const rows = (piece: number) =>
    Array.from({ length: 1000 }, (_, row) => `${piece * 1000 + row}\tsecret${row}@corp.example\n`).join('');
  return [
    HEAD,
    'COPY public.a (id, email) FROM stdin;\n',
    ...Array.from({ length: pieces }, (_, piece) => rows(piece)),
    '\\.\n\nCOPY public.b (id) FROM stdin;\n1\n\\.\n\n-- PostgreSQL database dump complete\n',
  ];
}

test('a preview of a table that comes early reads no more than that', async () => {
  const content = contentOf('early', { format: 'sql', dialect: 'postgresql' }, dumpOf(200));
  await drafted(content);
  content.pulled = 0;
  const schemaRead = 203;
  const early = await workshop().preview(content, { variant: 'masked', rows: 3, tables: ['public.a'] }, signal);
  assert.equal(early.tables[0]?.rows.length, 3);
  assert.ok(content.pulled < schemaRead + 100, `${content.pulled} pieces`);
  assert.equal(content.isOpen, 0);
});

test('a sample is of the first rows of each table, and is the same each time', async () => {
  const content = contentOf('same', { format: 'sql', dialect: 'postgresql' }, dumpOf(3));
  const request = { key: 'env:KEY', sampledRows: 50 };
  const text = await workshop().draft(content, request, signal);
  assert.match(text, /100 % of 50 values look like: email/);
  assert.equal(await workshop().draft(content, request, signal), text);
  const before = content.pulled;
  await workshop().draft(content, { ...request, sampledRows: 0 }, signal);
  assert.equal(content.pulled - before, 6, 'definitions alone');
});

test('whoever goes away ends what was begun', async () => {
  const content = contentOf('same', { format: 'sql', dialect: 'postgresql' }, dumpOf(3));
  const gone = AbortSignal.abort(new Error('gone'));
  await assert.rejects(workshop().draft(content, { key: 'env:KEY', sampledRows: 5 }, gone), /gone/);
  assert.equal(content.isOpen, 0);
});

test('a policy folder without a policy for the resource says what to do', async () => {
  const content = contentOf('other', { format: 'json' }, ['{}']);
  await assert.rejects(workshop().preview(content, { variant: 'masked', rows: 1 }, signal), {
    code: 'masking-policy-missing',
    message: /policy init other/,
  });
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name !== 'policies' && name !== 'app.db'),
    [],
  );
});
