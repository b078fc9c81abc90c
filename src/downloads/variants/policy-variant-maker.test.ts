import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { HoldfastError } from '../../core/errors.ts';
import type { VariantContent, VariantMaker } from '../../core/ports/variant-maker.ts';
import { createPolicyVariantMaker } from './policy-variant-maker.ts';

const ROWS = 2000;
const DUMP = [
  'CREATE TABLE public.users (\n    id integer NOT NULL,\n    email text NOT NULL,\n    boss integer\n);\n',
  'COPY public.users (id, email, boss) FROM stdin;',
  ...Array.from({ length: ROWS }, (_, at) => `${at + 1}\tperson${at + 1}@corp.test\t${at === 0 ? '\\N' : 1}`),
  '\\.\n',
  'ALTER TABLE ONLY public.users\n    ADD CONSTRAINT users_pkey PRIMARY KEY (id);\n',
  'ALTER TABLE ONLY public.users\n    ADD CONSTRAINT users_boss FOREIGN KEY (boss) REFERENCES public.users(id);\n',
].join('\n');

const POLICY = `version: 1
resource: shop
key: env:KEY
epoch: "1"
variants:
  masked: { keep: full }
  small: { extends: masked, subset: { seed: dev, roots: [{ table: public.users, sample: 10% }] } }
  other: { extends: masked, subset: { seed: qa, roots: [{ table: public.users, sample: 20%, limit: 300 }] } }
  some: { extends: masked, subset: { seed: dev, roots: [{ table: public.users, where: "id = 7" }] } }
tables:
  public.users: { columns: { id: keep, email: email, boss: keep } }
`;

let folder: string;
let maker: VariantMaker;
/** Contents that were opened and not closed. */
let open: Set<object>;
/** Of whole contents. */
let readings: number;
/** By name. */
let sidecars: Map<string, Buffer>;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'variant-maker-'));
  await writeFile(path.join(folder, 'shop.yaml'), POLICY);
  const resolveSecret = async () => 'a key that is long enough to be one';
  maker = createPolicyVariantMaker({ policyFolder: folder, transformerFolder: undefined, resolveSecret });
});
after(() => rm(folder, { recursive: true }));
beforeEach(() => {
  open = new Set();
  readings = 0;
  sidecars = new Map();
});

for (const variant of ['masked', 'small'])
  test(`whatever becomes of the variant "${variant}", what was opened for it is closed`, async () => {
    const headers = new AbortController();
    const head = await materialOf(variant, content(), headers.signal);
    assert.equal(open.size, 1);
    await head.close();
    await head.close();
    assert.equal(open.size, 0);

    const whole = await materialOf(variant, content());
    const text = (await bytesOf(whole.material.bytes())).toString();
    await whole.close();
    assert.equal(open.size, 0);
    assert.ok(!text.includes('corp.test'));
    const [report] = whole.report().tables;
    assert.equal(report?.rowsIn, ROWS);

    sidecars.clear();
    for (const phase of variant === 'small' ? (['first', 'later'] as const) : (['first'] as const)) {
      const abort = new AbortController();
      const given = await materialOf(variant, content({ abort, phase }), abort.signal);
      await assert.rejects(bytesOf(given.material.bytes()), /the client has gone/);
      await given.close();
      assert.equal(open.size, 0, phase);
    }
    const broken = await materialOf(variant, content({ breaks: true }));
    await assert.rejects(bytesOf(broken.material.bytes()), { code: 'content-damaged' });
    assert.throws(() => broken.report());
    await broken.close();
    assert.equal(open.size, 0);
  });

test('keys that were read ahead serve every variant with the same edges, in one reading', async () => {
  const { readAhead } = await maker.plan(content(), 'small', new AbortController().signal);
  await readAhead(new AbortController().signal);
  assert.equal(readings, 1);
  const [small, other] = [await made('small', content()), await made('other', content())];
  assert.equal(readings, 3);
  assert.notEqual(small, other);
  const kept = [...sidecars.keys()];
  const some = await made('some', content());
  assert.equal(some.match(/^\d+\t/gm)?.length, 2);
  const added = [...sidecars.keys()].filter((name) => !kept.includes(name));
  assert.deepEqual(
    added.map((name) => name.split('-')[0]),
    ['rows'],
    'of another condition only that is read',
  );
  sidecars.clear();
  assert.deepEqual(
    [await made('small', content()), await made('other', content()), await made('some', content())],
    [small, other, some],
  );
});

test('facts that were kept and are damaged are made anew, and the variant is the same', async () => {
  const once = await made('small', content());
  assert.deepEqual([...sidecars.keys()].map((name) => name.split('-')[0]).sort(), ['keys', 'rows', 'schema']);
  const before = new Map(sidecars);
  for (const damage of [
    (bytes: Buffer) => bytes.subarray(0, -1),
    () => new HoldfastError('damaged', 'chunk-damaged', 'A chunk is damaged.'),
    () => new HoldfastError('not-found', 'snapshot-missing', 'It is not there any more.'),
  ]) {
    const faults = new Map([...before].map(([name, bytes]) => [name, damage(bytes)]));
    sidecars.clear();
    assert.deepEqual(await made('small', content({ faults })), once);
    assert.deepEqual([...sidecars], [...before]);
  }
});

test('facts that cannot be read at this moment end the production, and are not made anew', async () => {
  const error = new HoldfastError('unavailable', 'storage-unavailable', 'The storage does not answer.');
  await made('small', content());
  const faults = new Map([...sidecars.keys()].map((name) => [name, error]));
  await assert.rejects(made('small', content({ faults })), { code: 'storage-unavailable' });
});

async function materialOf(variant: string, from: VariantContent, signal = new AbortController().signal) {
  const production = await maker.plan(from, variant, new AbortController().signal);
  open.clear();
  return production.material(signal);
}

async function made(variant: string, from: VariantContent): Promise<string> {
  const { material, close } = await materialOf(variant, from);
  try {
    return (await bytesOf(material.bytes())).toString();
  } finally {
    await close();
  }
}

interface Faults {
  abort?: AbortController;
  /** Whether the client goes with the first reading, which a reduced variant needs for its keys, or with the one that is masked. */
  phase?: 'first' | 'later';
  breaks?: boolean;
  faults?: ReadonlyMap<string, Buffer | Error>;
}

function content({ abort, phase = 'first', breaks = false, faults = new Map() }: Faults = {}): VariantContent {
  let begun = 0;
  const material = {
    format: 'sql',
    dialect: 'postgresql',
    mediaType: 'application/sql',
    fileExtension: '.sql',
  } as const;
  async function* bytes(): AsyncGenerator<Uint8Array> {
    const isMeant = phase === 'first' || ++begun > 1;
    readings++;
    for (let at = 0; at < DUMP.length; at += 4096) {
      yield Buffer.from(DUMP.slice(at, at + 4096));
      if (at === 0 || !isMeant) continue;
      abort?.abort(new Error('the client has gone'));
      if (breaks) throw new HoldfastError('damaged', 'content-damaged', 'The content is damaged.');
    }
  }
  return {
    ...{ resourceId: 'shop', snapshotId: 'backup-1', format: 'sql', dialect: 'postgresql' },
    open: async ({ schemaOnly }) => {
      const opened = {};
      open.add(opened);
      const schema = async function* () {
        yield Buffer.from(DUMP.replace(/COPY[\s\S]*?\\\.\n/, ''));
      };
      return {
        material: { ...material, isReproducible: true, acceptsRanges: false, bytes: schemaOnly ? schema : bytes },
        close: async () => void open.delete(opened),
      };
    },
    sidecars: {
      read: async (name) => {
        const kept = faults.get(name) ?? sidecars.get(name);
        return kept === undefined ? undefined : given(kept);
      },
      write: async (name, pieces) => void sidecars.set(name, await bytesOf(pieces)),
    },
  };
}

async function* given(kept: Buffer | Error): AsyncGenerator<Uint8Array> {
  if (kept instanceof Error) throw kept;
  yield kept;
}

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}
