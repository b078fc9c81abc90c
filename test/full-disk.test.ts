import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { mountSmallDisk } from './small-disk.ts';
import { backUpBytes, pieces, readBytes, recordOf, SMALL, TemporaryRepository } from './temporary-repository.ts';

const { folder, skip } = mountSmallDisk('full-disk', 8);

test('a disk that fills up in mid-backup loses nothing, leaves nothing half-written, and serves again when there is room', {
  skip,
}, async () => {
  const temporary = await TemporaryRepository.create(SMALL, path.join(folder, 'repository'));
  try {
    const { repository } = temporary;
    const kept = randomBytes(1_000_000);
    const { id } = await backUpBytes(repository, kept);
    const writer = await repository.beginSnapshot({ encrypt: true });
    await assert.rejects(
      async () => writer.commit(recordOf(writer, await writer.writeStream(pieces(randomBytes(30_000_000))))),
      { code: 'storage-full', kind: 'unavailable' },
    );
    await writer.abort();
    assert.deepEqual(await repository.listSnapshots(), [id]);
    assert.deepEqual(readdirSync(path.join(folder, 'repository', 'tmp')), []);
    execFileSync('mount', ['-o', 'remount,size=64m', folder]);
    const after = randomBytes(5_000_000);
    const next = await backUpBytes(repository, after);
    assert.ok((await readBytes(repository, next.id)).equals(after));
    assert.ok((await readBytes(repository, id)).equals(kept));
    const findings = (await repository.check({ level: 4 })).findings;
    assert.deepEqual(
      findings.filter((finding) => finding.severity !== 'warning'),
      [],
    );
  } finally {
    await temporary.remove();
  }
});
