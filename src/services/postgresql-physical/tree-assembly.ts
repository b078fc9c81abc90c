import { HoldfastError } from '../../core/errors.ts';
import type { EncodedEntries, SnapshotWriter, TaskRunner } from '../../core/ports/repository.ts';
import type { SnapshotRoot } from '../../core/snapshot-record.ts';
import { type ByteString, comparePaths, type TreeEntry } from '../../core/tree-entry.ts';
import type { ContentTask, ContentTaskResult } from './content-task.ts';

const ENTRIES_IN_A_TASK = 256;

/** Entries come as the server sends files and go into the tree in its order: encoded, they wait in memory until all are there. */
export class TreeAssembly {
  readonly #writer: SnapshotWriter;
  readonly #runner: TaskRunner<ContentTask, ContentTaskResult>;
  readonly #encoded: { path: ByteString; bytes: Uint8Array }[] = [];
  #pending: TreeEntry[] = [];

  constructor(writer: SnapshotWriter, runner: TaskRunner<ContentTask, ContentTaskResult>) {
    this.#writer = writer;
    this.#runner = runner;
  }

  async add(entry: TreeEntry): Promise<void> {
    this.#pending.push(entry);
    if (this.#pending.length >= ENTRIES_IN_A_TASK) await this.#encode();
  }

  async finish(): Promise<Extract<SnapshotRoot, { kind: 'tree' }>> {
    await this.#encode();
    const entries = this.#encoded.sort((a, b) => comparePaths(a.path, b.path));
    const tree = this.#writer.beginTree();
    for (let at = 0; at < entries.length; at += ENTRIES_IN_A_TASK) {
      const group = entries.slice(at, at + ENTRIES_IN_A_TASK);
      for (const [index, { path }] of group.entries())
        if (entries[at + index - 1]?.path === path) throw sentTwice(path);
      let end = 0;
      await tree.append({
        bytes: Uint8Array.from(Buffer.concat(group.map(({ bytes }) => bytes))),
        ends: Uint32Array.from(group, ({ bytes }) => (end += bytes.length)),
        paths: group.map(({ path }) => path),
      });
    }
    return tree.finish();
  }

  async #encode(): Promise<void> {
    if (this.#pending.length === 0) return;
    const entries = this.#pending;
    this.#pending = [];
    const { bytes, ends, paths } = (await this.#runner.run({ kind: 'encode', entries })) as EncodedEntries;
    let from = 0;
    for (const [index, end] of ends.entries()) {
      this.#encoded.push({ path: paths[index] as ByteString, bytes: bytes.subarray(from, end) });
      from = end;
    }
  }
}

function sentTwice(path: ByteString): HoldfastError {
  const name = Buffer.from(path, 'latin1').toString();
  const message = `The server sent ${name} twice in one base backup. Nothing was backed up; try again, and look at the server's log.`;
  return new HoldfastError('unsupported', 'postgresql-answer-unexpected', message, { details: { path: name } });
}
