import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { backUpBytes, pieces, readBytes, recordOf, SMALL, TemporaryRepository } from './temporary-repository.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-full-disk-'));
const mounted = mountSmallDisk();

test('a disk that fills up in mid-backup loses nothing, leaves nothing half-written, and serves again when there is room', {
  skip: mounted ? false : 'needs a small disk of its own: run as root where mounting is allowed (`sudo npm test`)',
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

process.on('exit', () => {
  if (mounted) execFileSync('umount', ['-l', folder]);
  rmSync(folder, { recursive: true, force: true });
});

function mountSmallDisk(): boolean {
  if (process.geteuid?.() !== 0) return false;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    // A container without the right to mount: the test says so.
    return false;
  }
}
