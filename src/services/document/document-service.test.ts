import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Backup, BackupType } from '../../core/backup.ts';
import type { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReader, SnapshotWriter, StoredStream } from '../../core/ports/repository.ts';
import type { ChainLink, Service, ServiceBackup } from '../../core/ports/service.ts';
import type { Resource } from '../../core/resource.ts';
import { createDocumentService, type DocumentServiceOptions } from './document-service.ts';

const OPTIONS: DocumentServiceOptions = { documentLimitBytes: 64 << 20, documentDepthLimit: 100, maxChainLength: 50 };

describe('the document service', () => {
  it('stores the canonical document of a full backup and gives it back', async () => {
    const history = new History();
    const { made, stored } = await history.backup('full', ' {"b": [1.0, 1e400], "a": "\\u00e9"} ');
    const canonical = '{"a":"é","b":[1,1e400]}';
    assert.equal(stored, canonical);
    assert.equal(made.type, 'full');
    assert.equal(made.isDelta, false);
    assert.equal(made.size, Buffer.byteLength(canonical));
    assert.equal(made.sourceBytes, 36);
    assert.equal(made.checksum, checksum(canonical));
    assert.deepEqual(made.serviceData, { stored: 'document', documentBytes: 24 });
    assert.equal(await history.restore(), canonical);
    assert.equal(await history.read(), canonical);
  });

  it('stores only the delta of the documented example, with the checksum of the whole document', async () => {
    const history = new History();
    await history.backup('full', '{"users": [{"id": 1, "name": "Alice"}], "settings": {"theme": "dark"}}');
    const current = '{"settings":{"theme":"light"},"users":[{"id":1,"name":"Alice"},{"id":2,"name":"Bob"}]}';
    const { made, stored } = await history.backup('incremental', current);
    assert.equal(made.type, 'incremental');
    assert.equal(made.isDelta, true);
    assert.equal(made.checksum, checksum(current));
    assert.equal(made.size, stored.length);
    assert.equal(made.contentBytes, Buffer.byteLength(current));
    assert.deepEqual(JSON.parse(stored), {
      changes: [{ key: 'settings', oldValue: { theme: 'dark' }, newValue: { theme: 'light' } }],
      additions: [{ key: 'users[1]', value: { id: 2, name: 'Bob' } }],
      deletions: [],
    });
    assert.deepEqual(made.serviceData, {
      stored: 'delta',
      documentBytes: current.length,
      deltaBytes: stored.length,
      baseId: 'backup-1',
    });
    assert.equal(await history.restore(), current);
  });

  it('restores every backup of any history of documents, from memory of the last ones or without', async () => {
    const types = fc.constantFrom<BackupType>('full', 'incremental', 'incremental', 'differential');
    const step = fc.tuple(types, fc.json());
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), fc.boolean(), async (steps, remember) => {
        const history = new History(remember ? {} : { recentBytes: 0 });
        const documents: string[] = [];
        for (const [type, text] of steps) {
          fc.pre(!/\\ud[89a-f]/i.test(text) && text.isWellFormed());
          await history.backup(type, text);
          documents.push(text);
        }
        for (const [index, text] of documents.entries()) {
          assert.deepEqual(JSON.parse(await history.restore(index)), JSON.parse(text));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('builds a differential on the full backup, an incremental on the latest', async () => {
    const history = new History();
    await history.backup('full', '{"a":1}');
    await history.backup('incremental', '{"a":1,"b":2}');
    assert.deepEqual(JSON.parse((await history.backup('incremental', '{"a":1,"b":2,"c":3}')).stored).additions, [
      { key: 'c', value: 3 },
    ]);
    const { made, stored } = await history.backup('differential', '{"a":1,"b":2,"c":3}');
    assert.equal(made.type, 'differential');
    assert.deepEqual(
      JSON.parse(stored).additions.map((addition: { key: string }) => addition.key),
      ['b', 'c'],
    );
  });

  it('makes a full backup, and says so, where the delta is not smaller than the document', async () => {
    const history = new History();
    await history.backup('full', list(0));
    const { made, stored, warnings } = await history.backup('incremental', list(1));
    assert.equal(made.type, 'full');
    assert.equal(made.isDelta, false);
    assert.equal(stored, list(1));
    assert.match(warnings.join(), /^A full backup was made instead of an incremental one\. The delta \(.*not smaller/);
  });

  it('makes a full backup, and says so, after as many deltas as the configuration allows', async () => {
    const history = new History({ maxChainLength: 2 });
    for (const [text, type] of [
      ['[0]', 'full'],
      ['[1]', 'incremental'],
      ['[2]', 'incremental'],
    ] as const) {
      assert.equal((await history.backup(type, text)).made.type, type);
    }
    const { made, warnings } = await history.backup('incremental', '[3]');
    assert.equal(made.type, 'full');
    assert.match(warnings.join(), /reached its limit of 2 deltas/);
  });

  it('makes a full backup, and says so, where the base is damaged', async () => {
    const history = new History({ recentBytes: 0 });
    await history.backup('full', '{"a":1}');
    history.damage(0, '{"a":2}');
    const { made, warnings } = await history.backup('incremental', '{"a":3}');
    assert.equal(made.type, 'full');
    assert.match(warnings.join(), /cannot be restored: The document of backup backup-1 differs/);
    assert.equal(await history.restore(), '{"a":3}');
  });

  it('refuses to restore through a damaged link, and names it', async () => {
    const history = new History();
    await history.backup('full', '{"a":1,"b":1}');
    await history.backup('incremental', '{"a":2,"b":1}');
    await history.backup('incremental', '{"a":2,"b":3}');
    const delta = history.damage(
      1,
      '{"additions":[],"changes":[{"key":"a","newValue":5,"oldValue":1}],"deletions":[]}',
    );
    await refused(history.restore(2), 'checksum-differs', 'backup-2');
    await refused(history.read(2), 'checksum-differs', 'backup-2');
    assert.equal(await history.restore(0), '{"a":1,"b":1}');
    history.damage(1, delta.replace('"oldValue":1', '"oldValue":7'));
    await refused(history.restore(1), 'delta-base-differs', 'backup-2');
    history.damage(1, '{"changes":');
    await refused(history.restore(1), 'document-syntax', 'backup-2');
    history.damage(0, '{"a":1,"b":2}');
    await refused(history.restore(0), 'checksum-differs', 'backup-1');
  });

  it('refuses documents that are too large, too deep or not strict JSON, and stores nothing', async () => {
    const history = new History({ documentLimitBytes: 20, documentDepthLimit: 2 });
    for (const [text, code] of [
      ['[1,2,3,4,5,6,7,8,9,10]', 'document-too-large'],
      ['[[[1]]]', 'document-too-deep'],
      ['{"a":1,"a":2}', 'document-duplicate-key'],
      ['{"a":1', 'document-syntax'],
      ['', 'document-empty'],
    ] as const) {
      await assert.rejects(history.backup('full', text), { code }, text);
    }
    assert.equal(history.links.length, 0);
  });

  it('passes on what breaks the upload, and stops when cancelled', async () => {
    const history = new History();
    const broken = async function* () {
      yield Buffer.from('{"a":');
      throw new Error('the connection was lost');
    };
    await assert.rejects(history.backup('full', broken()), /connection was lost/);
    await assert.rejects(history.backup('full', '[1]', AbortSignal.abort()), { code: 'operation-cancelled' });
    await assert.rejects(history.backup('full', list(0, 200_000), AbortSignal.abort()), { kind: 'cancelled' });
  });

  it('works on large documents in a thread while the event loop goes on, with the same results and errors', async () => {
    const history = new History({ recentBytes: 0 });
    const large = (change: string) => `{"list":${list(0, 200_000)},"z":${change}}`;
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    await history.backup('full', large('[]'));
    const { made, stored } = await history.backup('incremental', large('{"__proto__":1e400}'));
    clearInterval(timer);
    assert.ok(turns > 0);
    assert.equal(made.type, 'incremental');
    assert.equal(
      stored,
      '{"additions":[],"changes":[{"key":"z","newValue":{"__proto__":1e400},"oldValue":[]}],"deletions":[]}',
    );
    assert.equal(await history.restore(), large('{"__proto__":1e400}'));
    await assert.rejects(history.backup('full', large('{"a":1,"a":2}')), (error: HoldfastError) => {
      assert.equal(error.code, 'document-duplicate-key');
      assert.equal(error.details.pointer, '/z/a');
      return true;
    });
  });

  it('has no configuration and no options to restore with', async () => {
    const history = new History();
    assert.deepEqual(history.service.parseConfiguration({}), {});
    assert.throws(() => history.service.parseConfiguration({ path: '/' }), { code: 'configuration-invalid' });
    await history.backup('full', '1');
    await assert.rejects(history.restore(0, { target: '/' }), { code: 'options-invalid', kind: 'invalid' });
  });
});

/** A resource's backups, kept in memory by a stand-in for the repository's port, with the chains that a manager would give. */
class History {
  readonly service: Service;
  readonly links: { backup: Backup; serviceData: ServiceBackup['serviceData']; chain: number[]; bytes: Buffer }[] = [];

  constructor(options: Partial<DocumentServiceOptions> = {}) {
    this.service = createDocumentService({ ...OPTIONS, ...options });
  }

  async backup(asked: BackupType, input: string | AsyncIterable<Uint8Array>, signal = new AbortController().signal) {
    const base = asked === 'incremental' ? this.links.length - 1 : this.links.findLastIndex(isFull);
    const type = base < 0 ? 'full' : asked;
    const chain = type === 'full' ? [] : [...(this.links[base]?.chain ?? []), base];
    const id = `backup-${this.links.length + 1}`;
    const written: Buffer[] = [];
    const warnings: string[] = [];
    const made = await this.service.backup({
      resource: {} as Resource,
      type,
      chain: chain.map((index) => this.#link(index)),
      input: typeof input === 'string' ? inPieces(input) : input,
      writer: recordingWriter(id, written),
      signal,
      report: () => undefined,
      warn: (message) => warnings.push(message),
    });
    const bytes = Buffer.concat(written);
    this.links.push({
      backup: { id, type: made.type, checksum: made.checksum } as Backup,
      serviceData: made.serviceData,
      chain: made.isDelta ? chain : [],
      bytes,
    });
    return { made, stored: bytes.toString(), warnings };
  }

  /** @returns what was stored before */
  damage(index: number, stored: string): string {
    const link = this.links[index]!;
    const before = link.bytes.toString();
    link.bytes = Buffer.from(stored);
    return before;
  }

  async restore(index = this.links.length - 1, options = {}): Promise<string> {
    const { backup } = this.links[index]!;
    const restored = await this.service.restore({
      backup,
      chain: this.#chain(index),
      options,
      signal: new AbortController().signal,
      report: () => undefined,
      warn: () => undefined,
    });
    assert.equal(restored.checksum, backup.checksum);
    return Buffer.from(restored.data!).toString();
  }

  async read(index = this.links.length - 1): Promise<string> {
    const pieces = [];
    for await (const piece of this.service.read!(this.#chain(index), new AbortController().signal)) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  }

  #chain(index: number): ChainLink[] {
    return [...this.links[index]!.chain, index].map((link) => this.#link(link));
  }

  #link(index: number): ChainLink {
    const { backup, serviceData, bytes } = this.links[index]!;
    const reader = { record: { serviceData }, read: () => inPieces(bytes) } as unknown as SnapshotReader;
    return { backup, reader };
  }
}

function isFull({ backup }: { backup: Backup }): boolean {
  return backup.type === 'full';
}

function recordingWriter(snapshotId: string, written: Buffer[]): SnapshotWriter {
  const writer: Pick<SnapshotWriter, 'snapshotId' | 'writeStream'> = {
    snapshotId,
    async writeStream(source): Promise<StoredStream> {
      for await (const piece of source) written.push(Buffer.from(piece));
      const bytes = Buffer.concat(written);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const root = { kind: 'stream', length: bytes.length, content: { inline: bytes } } as const;
      return { length: bytes.length, sha256, root };
    },
  };
  return writer as SnapshotWriter;
}

async function* inPieces(content: string | Buffer): AsyncIterable<Uint8Array> {
  const bytes = Buffer.from(content);
  const size = Math.max(1, Math.ceil(bytes.length / 3));
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function refused(attempt: Promise<unknown>, code: string, backupId: string): Promise<void> {
  await assert.rejects(attempt, (error: HoldfastError) => {
    assert.equal(error.kind, 'damaged');
    assert.equal(error.code, code);
    assert.equal(error.details.backupId, backupId);
    assert.match(error.message, new RegExp(backupId));
    return true;
  });
}

function checksum(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function list(first: number, length = 2000): string {
  return JSON.stringify(Array.from({ length }, (_, index) => index + first));
}
