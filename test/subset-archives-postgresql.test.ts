import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { SourceArchive } from '../src/core/ports/service-download.ts';
import { archiveInMemory } from './archive-in-memory.ts';
import { inPieces, PolicyVariants } from './policy-variants-rig.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { SHOP, SHOP_POLICY } from './shop-of-twenty-tables.ts';
import { collected } from './variant-rig.ts';

describe('subsets of archives that pg_dump writes', { skip: SKIP_REASON, timeout: 300_000 }, () => {
  let server: PostgresqlServer;
  let variants: PolicyVariants;
  const database = 'shop';
  before(async () => {
    server = await PostgresqlServer.start(['fsync = off']);
    await server.sql('postgres', `CREATE DATABASE ${database}`);
    await server.sql(database, SHOP);
    await server.sql(database, `SELECT lo_from_bytea(0, decode(repeat('00ff0a', 20000), 'hex'))`);
  });
  after(() => server?.stop());
  beforeEach(async () => {
    variants = await PolicyVariants.create();
    await variants.policy(SHOP_POLICY);
  });
  afterEach(() => variants.remove());

  const archived = (...options: string[]): Buffer => {
    const file = path.join(server.folder, 'archive');
    const connection = `host=${server.folder} port=${server.port} user=postgres dbname=${database}`;
    const words = ['--format=custom', `--file=${file}`, ...options, `--dbname=${connection}`];
    execFileSync(path.join(server.programs, 'pg_dump'), words, {
      env: { ...process.env, PGPASSWORD: server.password },
    });
    return readFileSync(file);
  };
  /** What pg_restore makes of an archive that comes through a pipe. */
  const restored = async (archive: AsyncIterable<Uint8Array>): Promise<Buffer> => {
    const child = spawn(path.join(server.programs, 'pg_restore'), ['--file=-', '--no-owner'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [output] = await Promise.all([
      collected(child.stdout),
      pipeline(Readable.from(archive, { objectMode: false }), child.stdin),
    ]);
    return output;
  };
  const sourceOf = (bytes: Buffer, pieces: number, seen: number[] = []): SourceArchive => ({
    bytes: () => inPieces(bytes, pieces),
    async *sqlOf(change) {
      const changed = await collected(change(archiveInMemory(bytes, [pieces])));
      seen.push(changed.length);
      yield await restored(inPieces(changed, 1 << 16));
    },
  });

  it('are the very bytes that come of the SQL, wherever the archive is cut, and most of it is not given to pg_restore', async () => {
    const archive = archived('--compress=0');
    const content = { bytes: await restored(inPieces(archive, 1 << 16)), dialect: 'postgresql' } as const;
    const plain = await variants.make(content, 'reduced');
    const index = new Map(variants.sidecars);
    for (const pieces of [1 << 20, 4099, 13]) {
      variants.sidecars.clear();
      const given: number[] = [];
      const made = await variants.make({ ...content, archive: sourceOf(archive, pieces, given) }, 'reduced');
      assert.ok(made.bytes.equals(plain.bytes));
      assert.deepEqual(made.report.tables, plain.report.tables);
      const [facts, found] = [index, variants.sidecars].map((kept) =>
        [...kept].filter(([name]) => name.includes(' rows-')),
      );
      assert.deepEqual(found, facts);
      const again = await variants.make({ ...content, archive: sourceOf(archive, pieces) }, 'reduced');
      assert.ok(again.bytes.equals(plain.bytes), 'by the index that was kept');
      const largeObjects = 60_000;
      assert.ok(
        given.every((length) => length - largeObjects < archive.length / 3),
        `${given} of ${archive.length}`,
      );
    }
  });

  it('are made of the SQL where the archive is of a form that is not read here', async () => {
    const archive = archived('--compress=6');
    const content = { bytes: await restored(inPieces(archive, 1 << 16)), dialect: 'postgresql' } as const;
    const plain = await variants.make(content, 'reduced');
    variants.sidecars.clear();
    const given: number[] = [];
    const made = await variants.make({ ...content, archive: sourceOf(archive, 1 << 16, given) }, 'reduced');
    assert.ok(made.bytes.equals(plain.bytes));
    assert.deepEqual(given, [archive.length]);
  });
});
