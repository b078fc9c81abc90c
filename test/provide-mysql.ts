import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { packagesOf, withLibraries } from './debian-index.ts';
import { findProgram } from './installed-programs.ts';
import { MYSQL, MYSQL_PROGRAMS, MYSQL_PROVIDED } from './provided-mysql.ts';

/**
 * `npm run provide-mysql`: puts a server of MySQL with its client tools where tests look for it. It comes from Debian's unstable distribution, since no stable
 * one has it, with all libraries down to libc, and runs with these alone: nothing of the machine is changed, whatever its own libraries are.
 */
const ARCHIVE = 'http://deb.debian.org/debian';
const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';
const PACKAGES = ['mysql-server-core', 'mysql-client-core'];
const PROGRAMS: Readonly<Record<string, string>> = {
  mysqld: 'usr/sbin/mysqld',
  mysql: 'usr/bin/mysql',
  mysqldump: 'usr/bin/mysqldump',
};
const MACHINES: Readonly<Record<string, readonly [debian: string, folder: string, loader: string]>> = {
  x64: ['amd64', 'x86_64-linux-gnu', 'ld-linux-x86-64.so.2'],
  arm64: ['arm64', 'aarch64-linux-gnu', 'ld-linux-aarch64.so.1'],
};
const ATTEMPTS = 3;

// Whatever version it is: unstable changes from week to week, and what is there serves.
if (existsSync(MYSQL_PROVIDED)) process.exit();
try {
  await provide();
} catch (error) {
  rmSync(`${MYSQL}.new`, { recursive: true, force: true });
  const said = error instanceof Error ? error.message : String(error);
  process.stderr.write(`MySQL cannot be provided from ${ARCHIVE} (unstable): ${said}\n`);
  process.exit(1);
}

async function provide(): Promise<void> {
  const [machine, folder, loader] = MACHINES[process.arch] ?? [];
  if (process.platform !== 'linux' || machine === undefined || folder === undefined || loader === undefined)
    throw new Error(`there is none for ${process.platform} on ${process.arch}.`);
  const making = `${MYSQL}.new`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true });
  const packages = withLibraries(packagesOf(await indexOf(machine, making)), PACKAGES);
  const root = path.join(making, 'root');
  for (const { name, version, file, sha256 } of packages) {
    const deb = path.join(making, `${name}.deb`);
    writeFileSync(deb, held(await fetched(`${ARCHIVE}/${file}`), sha256, `${name} ${version}`));
    run('dpkg-deb', ['--extract', deb, root]);
    rmSync(deb);
  }
  rmSync(path.join(root, 'usr/share/doc'), { recursive: true, force: true });
  rmSync(MYSQL, { recursive: true, force: true });
  renameSync(making, MYSQL);
  writeScripts(`usr/lib/${folder}`, loader);
  writeFileSync(MYSQL_PROVIDED, packages.map(({ name, version }) => `${name} ${version}\n`).join(''));
}

/** Held against what the archive signed, where the machine can tell: other systems have not Debian's keys, and newer ones of Debian's need no gpgv. */
async function indexOf(machine: string, folder: string): Promise<string> {
  const signed = path.join(folder, 'InRelease');
  writeFileSync(signed, await fetched(`${ARCHIVE}/dists/sid/InRelease`));
  const gpgv = findProgram('gpgv');
  const release =
    gpgv !== undefined && existsSync(KEYS)
      ? run(gpgv, ['--quiet', '--keyring', KEYS, '--output', '-', signed])
      : readFileSync(signed, 'utf8');
  const name = `main/binary-${machine}/Packages.gz`;
  const sums = release.slice(release.indexOf('\nSHA256:'));
  const sha256 = sums.match(new RegExp(`^ ([0-9a-f]{64}) +\\d+ ${name}$`, 'm'))?.[1];
  if (sha256 === undefined) throw new Error(`its Release says nothing of ${name}.`);
  // By its sum: under its name there may be a newer one than this Release tells.
  const index = await fetched(`${ARCHIVE}/dists/sid/main/binary-${machine}/by-hash/SHA256/${sha256}`);
  return (await promisify(gunzip)(held(index, sha256, name))).toString('utf8');
}

function held(bytes: Buffer, sha256: string, what: string): Buffer {
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) throw new Error(`${what} has the SHA-256 ${found} where ${sha256} was announced.`);
  return bytes;
}

async function fetched(address: string): Promise<Buffer> {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await fetch(address, { signal: AbortSignal.timeout(300_000) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      return Buffer.from(await answer.arrayBuffer());
    } catch (cause) {
      if (attempt === ATTEMPTS) throw new Error(`${address} cannot be had (${String(cause)}).`, { cause });
      await sleep(attempt * 5000);
    }
  }
}

function run(program: string, args: readonly string[]): string {
  return execFileSync(program, [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** They find the rest from where they lie, so that a copy of a checkout has its own. @param folder of the libraries */
function writeScripts(folder: string, loader: string): void {
  const entries = readdirSync(path.join(MYSQL, 'root', folder), { withFileTypes: true });
  // Some libraries lie in a folder of a program's own.
  const folders = [folder, ...entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${folder}/${name}`)];
  const libraries = folders.map((each) => `$root/${each}`).join(':');
  mkdirSync(MYSQL_PROGRAMS);
  for (const [name, file] of Object.entries(PROGRAMS)) {
    const script = path.join(MYSQL_PROGRAMS, name);
    // The server looks for its messages and plugins there.
    const base = name === 'mysqld' ? ' --basedir="$root/usr"' : '';
    const line = `exec "$root/${folder}/${loader}" --argv0 "$0" --library-path "${libraries}" "$root/${file}" "$@"${base}`;
    writeFileSync(script, `#!/bin/sh\nroot=$(cd "\${0%/*}/../root" && pwd) || exit\n${line}\n`);
    chmodSync(script, 0o755);
    process.stdout.write(run(script, ['--no-defaults', '--version']));
  }
}
