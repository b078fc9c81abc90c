import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { Encrypter } from 'age-encryption';
import { ownProcess } from '../src/process/process-owner.ts';
import type { DecodeOptions } from '../src/services/external/decoding/decode.ts';
import { contentOf, DecodingRig, inPieces, outputOf, PASSPHRASE, processes, SKIP_REASON } from './decoding-rig.ts';

/** Text that compresses, and bytes that do not. */
const CONTENT = Buffer.concat([Buffer.from('INSERT INTO orders VALUES (1);\n'.repeat(5000)), randomBytes(150_000)]);
const NOTHING = Buffer.alloc(0);

describe('decoding backups of other tools', { skip: SKIP_REASON }, () => {
  let rig: DecodingRig;
  let secretKey: string;
  let identity: string;
  let recipient: string;
  before(async () => {
    rig = await DecodingRig.make();
    await rig.gpg(NOTHING, '--quick-gen-key', 'Backups <backups@example.org>', 'future-default', 'default', 'never');
    secretKey = (await rig.gpg(NOTHING, '--armor', '--export-secret-keys')).toString();
    identity = (await outputOf('age-keygen', [], NOTHING)).toString();
    recipient = /age1\w+/.exec(identity)?.[0] ?? '';
  });
  after(() => rig.remove());
  afterEach(async () => assert.deepEqual(await rig.leftovers(), []));

  const keys = (): Partial<DecodeOptions> => ({ privateKey: async () => identity });
  const gpgKeys = (): Partial<DecodeOptions> => ({ privateKey: async () => secretKey });
  const byAge = (input: Uint8Array, ...args: string[]) => outputOf('age', ['-r', recipient, ...args], input);
  const byOpenssl = (input: Uint8Array, ...args: string[]) =>
    outputOf('openssl', ['enc', '-salt', '-pass', `pass:${PASSPHRASE}`, ...args], input);
  const byAgePassphrase = async (input: Uint8Array) => {
    const encrypter = new Encrypter();
    encrypter.setPassphrase(PASSPHRASE);
    encrypter.setScryptWorkFactor(10);
    return encrypter.encrypt(input);
  };

  for (const [name, encrypt, options] of [
    ['gpg with a passphrase', (input) => rig.gpgSymmetric(input), () => ({})],
    ['gpg with a passphrase, armored', (input) => rig.gpgSymmetric(input, '--armor'), () => ({})],
    ['gpg for a key', (input) => rig.gpg(input, '-r', 'backups@example.org', '--encrypt'), gpgKeys],
    ['gpg for a key, signed', (input) => rig.gpg(input, '-r', 'backups@example.org', '--sign', '--encrypt'), gpgKeys],
    ['age for a key', (input) => byAge(input), keys],
    ['age for a key, armored', (input) => byAge(input, '--armor'), keys],
    ['age with a passphrase', byAgePassphrase, () => ({})],
    ['openssl', (input) => byOpenssl(input, '-aes-256-cbc', '-pbkdf2'), () => ({})],
    [
      'openssl with other settings',
      (input) => byOpenssl(input, '-aes-128-cbc', '-pbkdf2', '-iter', '777', '-md', 'sha512'),
      () => ({ openssl: { cipher: 'aes-128-cbc', iterations: 777, digest: 'sha512' } }),
    ],
    [
      'openssl without key derivation',
      (input) => byOpenssl(input, '-aes-256-cbc', '-md', 'md5'),
      () => ({ openssl: { keyDerivation: 'none', digest: 'md5' } }),
    ],
    ['no encryption', async (input) => input, () => ({})],
  ] as readonly [string, (input: Uint8Array) => Promise<Uint8Array>, () => Partial<DecodeOptions>][]) {
    test(`what was encrypted by ${name}, of compressed bytes, is as it was`, async () => {
      const stream = await rig.decode(await encrypt(await outputOf('zstd', ['-q'], CONTENT)), options());
      assert.equal(stream.encryption, name === 'no encryption' ? 'none' : name.split(' ')[0]);
      assert.equal(stream.compression, 'zstd');
      assert.ok(stream.head.length >= 4096 && CONTENT.subarray(0, stream.head.length).equals(stream.head));
      assert.deepEqual(await contentOf(stream), CONTENT);
    });
  }

  for (const program of ['gzip', 'zstd', 'xz', 'bzip2'])
    test(`several members of ${program} are one content; a cut, a change and something behind them are errors`, async () => {
      const one = await outputOf(program, ['-c'], CONTENT.subarray(0, 200_000));
      const two = Buffer.concat([one, await outputOf(program, ['-c'], CONTENT.subarray(200_000))]);
      assert.deepEqual(await rig.decoded(two), CONTENT);
      assert.deepEqual(await rig.decoded(two, { compression: 'none' }), two);
      const changed = Buffer.from(two);
      changed[one.length] = 0x33;
      for (const bytes of [
        two.subarray(0, -1),
        two.subarray(0, one.length + 3),
        two.subarray(0, 20),
        changed,
        Buffer.concat([two, Buffer.from('more')]),
      ])
        await assert.rejects(rig.decoded(bytes), { kind: 'damaged', code: 'external-backup-damaged' });
    });

  test('an age file of any length around its pieces is as age itself reads it', async () => {
    for (const length of [0, 1, 65_535, 65_536, 65_537, 131_072, 131_073]) {
      const bytes = randomBytes(length);
      for (const step of [1000, 65_552, 200_000])
        assert.deepEqual(await contentOf(await rig.decode(inPieces(await byAge(bytes), step), keys())), bytes);
    }
  });

  for (const [name, encryption, encrypt, options, step] of [
    ['age', 'age', byAge, keys, 1999],
    ['age in armor', 'age', (input: Uint8Array) => byAge(input, '--armor'), keys, 3001],
    ['gpg', 'gpg', (input: Uint8Array) => rig.gpgSymmetric(input, '--compress-algo', 'none'), () => ({}), 16_001],
  ] as const)
    test(`no changed and no cut ${name} file ends as if it were whole`, async () => {
      const content = randomBytes(name === 'gpg' ? 200_000 : 140_000);
      const whole = await encrypt(content);
      const ends = async (bytes: Uint8Array): Promise<string> => {
        try {
          return (await rig.decoded(bytes, { encryption, ...options() })).equals(content)
            ? 'the same'
            : 'other content';
        } catch (error) {
          return (error as { kind: string }).kind;
        }
      };
      for (let at = 5; at < whole.length; at += step) {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] ?? 0) ^ 0x04;
        assert.match(await ends(changed), /damaged|wrong-key/, `byte ${at}`);
      }
      for (const length of [whole.length - 2, whole.length - 17, 65_552 + 216, Math.floor(whole.length / 2), 180, 40])
        assert.match(await ends(whole.subarray(0, length)), /damaged|wrong-key/, `cut after ${length}`);
      assert.match(await ends(Buffer.concat([whole, whole])), /damaged/, 'twice');
    });

  test('a wrong passphrase and a wrong key are told before the first byte, without the secret', async () => {
    const secret = 'not-the-right-one';
    const wrong = { passphrase: async () => secret };
    const files: [Uint8Array, Partial<DecodeOptions>][] = [
      [await rig.gpgSymmetric(CONTENT), wrong],
      [await rig.gpg(CONTENT, '-r', 'backups@example.org', '--encrypt'), { ...gpgKeys(), ...wrong }],
      [await rig.gpg(CONTENT, '-r', 'backups@example.org', '--encrypt'), wrong],
      [await byAgePassphrase(CONTENT), wrong],
      [await byAge(CONTENT), { privateKey: async () => (await outputOf('age-keygen', [], NOTHING)).toString() }],
      [await byAge(CONTENT), { privateKey: async () => secret }],
      [await rig.gpgSymmetric(CONTENT), { encryption: 'age', ...wrong }],
    ];
    for (const [bytes, options] of files)
      await assert.rejects(rig.decode(bytes, options), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'external-key-wrong');
        assert.ok(!`${error.stack}${error.cause instanceof Error ? error.cause.stack : ''}`.includes(secret));
        return true;
      });
  });

  test('openssl tells a wrong passphrase and a cut at the end, and the operator is warned of what it cannot tell', async () => {
    const whole = await byOpenssl(CONTENT, '-aes-256-cbc', '-pbkdf2');
    for (const bytes of [whole.subarray(0, -1), whole.subarray(0, 16), whole.subarray(0, 5000)])
      await assert.rejects(rig.decoded(bytes), { kind: 'damaged' });
    const results = await Promise.allSettled(
      ['a', 'b', 'c'].map((passphrase) => rig.decoded(whole, { passphrase: async () => passphrase })),
    );
    assert.ok(results.some(({ status }) => status === 'rejected'));
    assert.ok(rig.warnings.some((warning) => warning.includes('openssl enc')));
  });

  test('a plain backup where a passphrase is configured is a warning; one where encryption is demanded, an error', async () => {
    rig.warnings.length = 0;
    assert.deepEqual(await rig.decoded(CONTENT), CONTENT);
    assert.match(rig.warnings.join(), /not encrypted/);
    for (const encryption of ['gpg', 'age', 'openssl'] as const)
      await assert.rejects(rig.decode(CONTENT, { encryption }), { code: 'external-key-wrong' });
    const stored = await rig.gpg(CONTENT, '--store');
    await assert.rejects(rig.decode(stored, { encryption: 'gpg' }), { code: 'external-key-wrong' });
    await assert.rejects(rig.decode(NOTHING), { kind: 'damaged' });
  });

  test('who aborts or leaves in the middle leaves no process and no folder, and the source is let go', async () => {
    const endless = await rig.gpg(
      await outputOf('zstd', ['-q'], Buffer.alloc(50_000_000)),
      '-r',
      'backups@example.org',
      '--encrypt',
    );
    for (const how of ['abort', 'close', 'leave', 'walk away']) {
      let isLetGo = false;
      const controller = new AbortController();
      const source = async function* () {
        try {
          yield* inPieces(endless, 100);
        } finally {
          isLetGo = true;
        }
      };
      const stream = await rig.decode(source(), gpgKeys(), controller.signal);
      assert.ok((await rig.leftovers()).length > 0);
      if (how === 'close') await stream.close();
      else if (how === 'leave') for await (const _ of stream) break;
      else if (how === 'abort')
        await assert.rejects(async () => {
          for await (const _ of stream) controller.abort(new Error('enough'));
        }, /enough/);
      else controller.abort();
      while ((await rig.leftovers()).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      assert.ok(how === 'walk away' || isLetGo, how);
      await stream.close();
    }
    await assert.rejects(rig.decode(endless, gpgKeys(), AbortSignal.abort(new Error('before'))), /before/);
  });

  test('the fault of a source is what is told, at the beginning and later', async () => {
    const whole = await rig.gpgSymmetric(await outputOf('xz', ['-c'], CONTENT));
    for (const length of [0, 100, 150_000]) {
      const source = async function* () {
        yield* inPieces(whole.subarray(0, length));
        throw new Error('the bucket is gone');
      };
      await assert.rejects(async () => contentOf(await rig.decode(source())), /the bucket is gone/);
    }
  });

  test('a source that fails after the last byte fails the stream, though all stages were content', async () => {
    for (const [bytes, options] of [
      [await rig.gpgSymmetric(CONTENT), {}],
      [await byAge(CONTENT), keys()],
      [await outputOf('bzip2', [], CONTENT), {}],
    ] as const) {
      const source = async function* () {
        yield* inPieces(bytes);
        throw new Error('the checksum differs');
      };
      await assert.rejects(async () => contentOf(await rig.decode(source(), options)), /the checksum differs/);
    }
  });

  test('secrets are on no command line and in no environment while programs run', async () => {
    const gpgFile = await rig.gpg(CONTENT, '-r', 'backups@example.org', '--encrypt');
    process.env.HOLDFAST_TEST_SECRET = 'of-holdfast-itself';
    const stream = await rig.decode(gpgFile, gpgKeys());
    const shown = await Promise.all(
      processes()
        .filter(({ parent, text }) => parent === process.pid || text.includes(rig.folder))
        .map(async ({ id, text }) => `${text}\n${await contentOf(readEnvironment(id))}`),
    );
    assert.ok(shown.length > 0);
    for (const text of shown) assert.doesNotMatch(text, /correct horse|of-holdfast-itself|PRIVATE KEY/);
    delete process.env.HOLDFAST_TEST_SECRET;
    await stream.close();
  });

  test('what grows beyond the limit is stopped', async () => {
    const bomb = await rig.gpgSymmetric(await outputOf('zstd', ['-q'], Buffer.alloc(100_000_000)));
    await assert.rejects(rig.decoded(bomb, { mostBytes: 1_000_000 }), {
      kind: 'too-large',
      code: 'external-backup-too-large',
    });
  });

  test('200 MB flow through in constant memory', async () => {
    const large = Buffer.alloc(200_000_000);
    const compressed = await outputOf('zstd', ['-q', '-1'], large);
    const files: [Uint8Array, Partial<DecodeOptions>][] = [
      [await rig.gpgSymmetric(compressed), {}],
      [await byAge(compressed), keys()],
    ];
    for (const [bytes, options] of files) {
      const before = process.memoryUsage().rss;
      let [length, most] = [0, 0];
      for await (const piece of await rig.decode(bytes, options)) {
        length += piece.length;
        most = Math.max(most, process.memoryUsage.rss());
      }
      assert.equal(length, large.length);
      assert.ok(most - before < 150_000_000, `${most - before} bytes more`);
    }
  });

  test('keys that a killed process left are removed by the next one, and those of a living one stay', async () => {
    const [dead, alive, begun] = await Promise.all(
      ['dead', 'alive', 'begun'].map((name) => mkdtemp(path.join(rig.folder, `holdfast-gpg-${name}-`))),
    );
    await writeFile(path.join(dead ?? '', 'holdfast-owner'), `${hostname()}:999999999:1`);
    await writeFile(path.join(alive ?? '', 'holdfast-owner'), ownProcess());
    // A file is there for a moment before anything is in it.
    await writeFile(path.join(begun ?? '', 'holdfast-owner'), '');
    assert.deepEqual(await rig.decoded(await rig.gpgSymmetric(CONTENT)), CONTENT);
    assert.deepEqual(
      (await rig.leftovers()).toSorted(),
      [alive, begun].map((home) => path.basename(home ?? '')),
    );
    for (const home of [alive, begun]) await rm(home ?? '', { recursive: true });
  });

  test('keys go with a process that ends at once', async () => {
    const module = new URL('../src/services/external/decoding/gnupg-home.ts', import.meta.url);
    const script = `const { makeGnupgHome } = await import(process.argv[1]);
      process.stdout.write(await makeGnupgHome(process.argv[2]), () => process.exit(0));`;
    const home = execFileSync(process.execPath, ['--input-type=module', '--eval', script, module.href, rig.folder]);
    assert.ok(home.toString().startsWith(rig.folder));
    assert.deepEqual(await rig.leftovers(), []);
  });

  test('a missing program is named, with the command that installs it', async () => {
    const bytes = await outputOf('xz', ['-c'], CONTENT);
    const saved = process.env.PATH;
    process.env.PATH = rig.folder;
    try {
      await assert.rejects(rig.decode(bytes), { code: 'external-tool-missing', message: /apt-get install xz-utils/ });
    } finally {
      process.env.PATH = saved;
    }
  });

  test('a passphrase of several lines is refused instead of being cut', async () => {
    const bytes = await rig.gpgSymmetric(CONTENT);
    await assert.rejects(rig.decode(bytes, { passphrase: async () => `${PASSPHRASE}\nmore` }), {
      code: 'external-key-wrong',
    });
  });
});

async function* readEnvironment(id: number): AsyncGenerator<Uint8Array> {
  const { readFile } = await import('node:fs/promises');
  yield await readFile(`/proc/${id}/environ`).catch(() => NOTHING);
}
