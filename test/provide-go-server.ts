import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GoServer } from './go-server.ts';

/**
 * `npm run provide-minio`, `npm run provide-vault`: builds servers for tests, where they look for them. That needs the Go compiler and takes
 * some minutes each, once.
 */
const MINIO_VERSION = 'v0.0.0-20260212201848-7aac2a2c5b7c';
const VAULT_SOURCE = fileURLToPath(new URL('./vault', import.meta.url));

// Unoptimised: a third less to build, and fast enough for tests.
const FLAGS = ['-gcflags=all=-N -l', '-ldflags=-s -w'];

interface Recipe {
  server: GoServer;
  /** What was built is good as long as this is the same. */
  version: string;
  words: readonly string[];
  folder?: string;
}

const minio = new GoServer('minio');
const vault = new GoServer('vault');
const RECIPES: readonly Recipe[] = [
  { server: minio, version: MINIO_VERSION, words: ['install', ...FLAGS, `github.com/minio/minio@${MINIO_VERSION}`] },
  {
    server: vault,
    version: ['main.go', 'go.mod', 'go.sum'].map((file) => readFileSync(`${VAULT_SOURCE}/${file}`, 'utf8')).join(''),
    words: ['build', ...FLAGS, '-buildvcs=false', '-o', vault.program, '.'],
    folder: VAULT_SOURCE,
  },
];

const names = process.argv.slice(2);
const unknown = names.find((name) => RECIPES.every(({ server }) => server.name !== name));
if (unknown !== undefined) throw new Error(`Nobody knows how to build ${unknown}.`);
const wanted = RECIPES.filter((recipe) => names.includes(recipe.server.name) && !isProvided(recipe));
if (wanted.length > 0 && spawnSync('go', ['version']).status !== 0) {
  process.stderr.write('Go 1.24 or later builds these, and is not installed. Run: apt-get install golang\n');
  process.exit(1);
}
// All before the first is built: tests wait for what is marked.
for (const { server } of wanted) {
  rmSync(server.folder, { recursive: true, force: true });
  mkdirSync(server.folder, { recursive: true });
  writeFileSync(server.building, `${process.pid}`);
}
for (const recipe of wanted) build(recipe);

function isProvided({ server, version }: Recipe): boolean {
  return existsSync(server.provided) && readFileSync(server.provided, 'utf8') === version;
}

function build({ server, version, words, folder }: Recipe): void {
  const env = { ...process.env, GOBIN: server.folder, GOFLAGS: '', CGO_ENABLED: '0' };
  try {
    execFileSync('go', [...words], { stdio: 'inherit', env, ...(folder === undefined ? {} : { cwd: folder }) });
    writeFileSync(server.provided, version);
    process.stdout.write(`${server.name} is at ${server.program}\n`);
  } finally {
    rmSync(server.building, { force: true });
  }
}
