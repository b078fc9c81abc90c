import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Backup } from '../../core/backup.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReader, SnapshotWriter, StoredStream, WriteStreamOptions } from '../../core/ports/repository.ts';
import type { BackupContext, ChainLink, ServiceBackup } from '../../core/ports/service.ts';
import type { Resource } from '../../core/resource.ts';
import { createStreamService } from './stream-service.ts';

const service = createStreamService();

describe('the stream service', () => {
  it('stores the bytes as they are and gives them back', async () => {
    for (const bytes of [randomBytes(100_000), Buffer.alloc(0)]) {
      const { made, stored } = await backup(inPieces(bytes));
      assert.deepEqual(stored, bytes);
      assert.equal(made.type, 'full');
      assert.equal(made.isDelta, false);
      assert.equal(made.size, bytes.length);
      assert.equal(made.readBytes, bytes.length);
      assert.equal(made.checksum, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
      assert.deepEqual(await read(linkOf(made, stored)), bytes);
      const restored = await restore(linkOf(made, stored));
      assert.deepEqual(restored, { checksum: made.checksum, report: { bytes: bytes.length } });
    }
  });

  it('takes only one piece at a time from the input', async () => {
    let given = 0;
    let taken = 0;
    const input = (async function* () {
      for (; given < 100; given++) {
        assert.ok(given - taken <= 1, 'pieces pile up');
        yield Buffer.alloc(1000);
      }
    })();
    await backup(input, undefined, () => taken++);
    assert.equal(taken, 100);
  });

  it('throws instead of ending where the bytes differ from what was backed up', async () => {
    const { made, stored } = await backup(inPieces(Buffer.from('the bytes')));
    stored[0]! ^= 1;
    const link = linkOf(made, stored);
    const pieces: Uint8Array[] = [];
    const reading = async () => {
      for await (const piece of service.read!([link], new AbortController().signal)) pieces.push(piece);
    };
    await assert.rejects(reading, { kind: 'damaged', code: 'checksum-differs', message: /backup-1/ });
    await assert.rejects(restore(link), { kind: 'damaged', code: 'checksum-differs' });
    await assert.rejects(read(linkOf(made, stored.subarray(1))), { code: 'checksum-differs' });
  });

  it('passes on what breaks the upload, and stops when cancelled', async () => {
    const broken = async function* () {
      yield Buffer.from('half');
      throw new Error('the connection was lost');
    };
    await assert.rejects(backup(broken()), /connection was lost/);
    await assert.rejects(backup(inPieces(Buffer.from('abc')), AbortSignal.abort()), { kind: 'cancelled' });
    const { made, stored } = await backup(inPieces(Buffer.from('abc')));
    await assert.rejects(read(linkOf(made, stored), AbortSignal.abort()), { kind: 'cancelled' });
  });

  it('expects the chunks of the latest backup, as many as can be read', async () => {
    const segments = [1, 2].map((byte) => ({ id: Buffer.alloc(32, byte), length: 1000 }));
    const lost = new HoldfastError('damaged', 'metadata-damaged', 'A page is lost.');
    const unreachable = new HoldfastError('unavailable', 'storage-unavailable', 'It is not there.');
    const readerOf = (failure?: unknown) => ({
      record: { root: { kind: 'stream', content: { segments } } },
      segments: async function* () {
        yield* segments;
        if (failure !== undefined) throw failure;
      },
    });
    const expectedOf = async (failure?: unknown) => {
      const { expected } = await backup(inPieces(Buffer.from('abc')), undefined, undefined, async () => {
        return readerOf(failure) as unknown as SnapshotReader;
      });
      return Array.fromAsync(expected ?? []);
    };
    assert.deepEqual(await expectedOf(), segments);
    assert.deepEqual(await expectedOf(lost), segments);
    await assert.rejects(expectedOf(unreachable), unreachable);
    const { expected } = await backup(inPieces(Buffer.from('abc')), undefined, undefined, async () => undefined);
    assert.deepEqual(await Array.fromAsync(expected ?? []), []);
  });

  it('has no configuration and no options to restore with', async () => {
    assert.deepEqual(service.parseConfiguration(undefined), {});
    assert.throws(() => service.parseConfiguration({ path: '/' }), { code: 'configuration-invalid' });
    const { made, stored } = await backup(inPieces(Buffer.from('abc')));
    await assert.rejects(restore(linkOf(made, stored), { target: '/' }), { code: 'options-invalid', kind: 'invalid' });
  });
});

async function backup(
  input: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
  onPiece?: () => void,
  earlier?: BackupContext['earlier'],
) {
  const written: Buffer[] = [];
  const asked: WriteStreamOptions[] = [];
  const made = await service.backup({
    resource: {} as Resource,
    type: 'full',
    chain: [],
    input,
    writer: recordingWriter(written, onPiece, asked),
    earlier,
    signal: signal ?? new AbortController().signal,
    report: () => undefined,
    warn: () => undefined,
  });
  return { made, stored: Buffer.concat(written), expected: asked[0]?.expected };
}

function recordingWriter(
  written: Buffer[],
  onPiece: (() => void) | undefined,
  asked: WriteStreamOptions[],
): SnapshotWriter {
  const writer: Pick<SnapshotWriter, 'writeStream'> = {
    async writeStream(source, options = {}): Promise<StoredStream> {
      asked.push(options);
      const hash = createHash('sha256');
      let length = 0;
      for await (const piece of source) {
        onPiece?.();
        written.push(Buffer.from(piece));
        hash.update(piece);
        length += piece.byteLength;
      }
      const root = { kind: 'stream', length, content: { segments: [] } } as const;
      return { length, sha256: hash.digest('hex'), root };
    },
  };
  return writer as SnapshotWriter;
}

function linkOf(made: ServiceBackup, stored: Buffer): ChainLink {
  const backup = { id: 'backup-1', type: 'full', checksum: made.checksum, size: made.size } as Backup;
  return { backup, reader: { read: () => inPieces(stored) } as unknown as SnapshotReader };
}

async function read(link: ChainLink, signal = new AbortController().signal): Promise<Buffer> {
  const pieces = [];
  for await (const piece of service.read!([link], signal)) pieces.push(piece);
  return Buffer.concat(pieces);
}

function restore(link: ChainLink, options = {}) {
  const signal = new AbortController().signal;
  const { backup } = link;
  return service.restore({ backup, chain: [link], options, signal, report: () => undefined, warn: () => undefined });
}

async function* inPieces(bytes: Buffer): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}
