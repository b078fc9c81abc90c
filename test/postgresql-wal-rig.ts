import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import type { CaptureProgress, ResourceLog } from '../src/core/ports/resource-log.ts';
import type { Resource } from '../src/core/resource.ts';
import { createPostgresqlLog } from '../src/services/postgresql-physical/postgresql-log.ts';
import { readWalLog, type WalPiece } from '../src/services/postgresql-physical/wal-pieces.ts';
import { type Lsn, parseLsn } from '../src/services/postgresql-physical/wal-position.ts';
import { eventually } from './eventually.ts';
import type { WalCluster } from './postgresql-wal-cluster.ts';

export const resolveTestSecret = (reference: string): Promise<string> => resolveSecret(reference, process.env);

/** A capture that runs beside the test. */
export class RunningCapture {
  readonly reports: CaptureProgress[] = [];
  readonly warnings: string[] = [];
  readonly ended: Promise<void>;
  /** What it failed with, if it did. */
  failure: unknown;
  readonly #abort = new AbortController();

  constructor(resource: Resource, log: ResourceLog) {
    this.ended = createPostgresqlLog(resolveTestSecret)
      .capture({
        resource,
        log,
        signal: this.#abort.signal,
        report: (state) => this.reports.push(state),
        warn: (message) => this.warnings.push(message),
      })
      .catch((error: unknown) => {
        this.failure = error;
      });
  }

  get position(): Lsn {
    return parseLsn(this.reports.at(-1)?.position ?? '0/0');
  }

  /** Resolves when everything that the server has written by now is stored. */
  async caughtUp(cluster: WalCluster): Promise<Lsn> {
    const [row] = await cluster.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    const wanted = parseLsn(row?.lsn ?? '');
    await eventually(() => {
      if (this.failure !== undefined) throw this.failure;
      return this.position >= wanted;
    }, `the capture did not come to ${row?.lsn}`);
    return wanted;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }
}

/** The stored bytes of each segment, joined as they must fit, without what is not stored at its end. */
export async function joinedSegments(log: ResourceLog): Promise<Map<string, Buffer>> {
  const joined = new Map<string, Buffer>();
  for (const each of readWalLog(await log.pieces()).segments) await join(joined, log, each);
  return joined;
}

async function join(joined: Map<string, Buffer>, log: ResourceLog, each: WalPiece): Promise<void> {
  const bytes = await log.read(each.piece);
  assert.equal(bytes.length, Number(each.end - each.start));
  const before = joined.get(each.segment) ?? Buffer.alloc(0);
  const offset = Number(each.start % BigInt(each.segmentBytes));
  assert.ok(offset <= before.length, `${each.segment} has a hole before ${offset}`);
  const overlap = before.subarray(offset, offset + bytes.length);
  assert.ok(overlap.equals(bytes.subarray(0, overlap.length)), `pieces of ${each.segment} contradict each other`);
  joined.set(each.segment, Buffer.concat([before, bytes.subarray(overlap.length)]));
}

/** Compares what is stored with the server's own files. @returns how many bytes were compared */
export async function compareWithServer(log: ResourceLog, cluster: WalCluster): Promise<number> {
  let compared = 0;
  for (const [name, bytes] of await joinedSegments(log)) {
    const own = await readFile(path.join(cluster.data, 'pg_wal', name)).catch(() => undefined);
    if (own === undefined) continue;
    assert.ok(own.subarray(0, bytes.length).equals(bytes), `${name} differs from the server's`);
    compared += bytes.length;
  }
  return compared;
}
