import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MINIO, MINIO_BUILDING, MINIO_FOLDER } from './minio-place.ts';

/**
 * `npm run provide-minio`: builds the S3 server MinIO for the tests of storage in buckets, where they look for it. Its publisher gives
 * sources only, so that the Go compiler is needed; it takes some minutes, once.
 */
const VERSION = 'v0.0.0-20260212201848-7aac2a2c5b7c';

const provided = path.join(MINIO_FOLDER, 'provided');
if (existsSync(provided) && readFileSync(provided, 'utf8') === VERSION) process.exit();
rmSync(MINIO_FOLDER, { recursive: true, force: true });
mkdirSync(MINIO_FOLDER, { recursive: true });
if (spawnSync('go', ['version']).status !== 0) {
  process.stderr.write('MinIO is built by Go 1.24 or later, which is not installed. Run: apt-get install golang\n');
  process.exit(1);
}
writeFileSync(MINIO_BUILDING, `${process.pid}`);
try {
  // Unoptimised: a third less to build, and fast enough for tests.
  execFileSync('go', ['install', '-gcflags=all=-N -l', '-ldflags=-s -w', `github.com/minio/minio@${VERSION}`], {
    stdio: 'inherit',
    env: { ...process.env, GOBIN: MINIO_FOLDER, GOFLAGS: '', CGO_ENABLED: '0' },
  });
  writeFileSync(provided, VERSION);
  process.stdout.write(execFileSync(MINIO, ['--version'], { encoding: 'utf8' }));
} finally {
  rmSync(MINIO_BUILDING, { force: true });
}
