import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GoServer } from './go-server.ts';

/**
 * `npm run provide-minio`, `npm run provide-vault`: builds a server for tests, where they look for it. That needs the Go compiler and takes
 * some minutes, once.
 */
const MINIO_VERSION = 'v0.0.0-20260212201848-7aac2a2c5b7c';
const VAULT_SOURCE = fileURLToPath(new URL('./vault', import.meta.url));

// Unoptimised: a third less to build, and fast enough for tests.
const FLAGS = ['-gcflags=all=-N -l', '-ldflags=-s -w'];

function provide(server: GoServer, version: string, build: () => void): void {
  const provided = `${server.folder}/provided`;
  if (existsSync(provided) && readFileSync(provided, 'utf8') === version) return;
  rmSync(server.folder, { recursive: true, force: true });
  mkdirSync(server.folder, { recursive: true });
  if (spawnSync('go', ['version']).status !== 0) {
    process.stderr.write(
      `${server.name} is built by Go 1.24 or later, which is not installed. Run: apt-get install golang\n`,
    );
    process.exitCode = 1;
    return;
  }
  writeFileSync(server.building, `${process.pid}`);
  try {
    build();
    writeFileSync(provided, version);
    process.stdout.write(`${server.name} is at ${server.program}\n`);
  } finally {
    rmSync(server.building, { force: true });
  }
}

function runGo(words: readonly string[], server: GoServer, cwd?: string): void {
  const env = { ...process.env, GOBIN: server.folder, GOFLAGS: '', CGO_ENABLED: '0' };
  execFileSync('go', [...words], { stdio: 'inherit', env, ...(cwd === undefined ? {} : { cwd }) });
}

function provideMinio(): void {
  const server = new GoServer('minio');
  provide(server, MINIO_VERSION, () => runGo(['install', ...FLAGS, `github.com/minio/minio@${MINIO_VERSION}`], server));
}

function provideVault(): void {
  const server = new GoServer('vault');
  const version = ['main.go', 'go.mod', 'go.sum']
    .map((file) => readFileSync(`${VAULT_SOURCE}/${file}`, 'utf8'))
    .join('');
  provide(server, version, () =>
    runGo(['build', ...FLAGS, '-buildvcs=false', '-o', server.program, '.'], server, VAULT_SOURCE),
  );
}

const providers: Record<string, () => void> = { minio: provideMinio, vault: provideVault };
for (const name of process.argv.slice(2)) {
  const build = providers[name];
  if (build === undefined)
    throw new Error(`Nobody knows how to build ${name}: only ${Object.keys(providers).join(', ')}.`);
  build();
}
