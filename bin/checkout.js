import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. Everything in this file runs on Node 20 and needs no package. */
export const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const OLDEST_NODE_THAT_RUNS_TYPESCRIPT = 24;

/**
 * Makes sure that what the lock file names is installed; takes some milliseconds where it is.
 *
 * Only a source checkout is touched: an installed package has no lock file, and npm has seen to its dependencies.
 *
 * @param {{ development: boolean }} wanted whether the tools for development are needed too
 * @returns {string} the Node.js to run with
 */
export function prepareCheckout({ development }) {
  if (existsSync(join(packageRoot, 'package-lock.json')) && !isInstalled(development)) installOnce(development);
  const pinned = pinnedNode();
  if (pinned !== undefined) return pinned;
  if (Number.parseInt(process.versions.node, 10) >= OLDEST_NODE_THAT_RUNS_TYPESCRIPT) return process.execPath;
  return fail(
    `The Node.js that Holdfast brings along (the npm package "node") is missing and this one, ${process.version}, is too old. ` +
      'Run "npm rebuild node --ignore-scripts=false" in the checkout, or use Node.js 24 or later.',
  );
}

/**
 * Runs a script in a child with this process's terminal, and ends as the child ends.
 *
 * Signals are passed on. From a terminal the child gets Ctrl-C twice, once from the terminal and once from here, as it
 * does under npm; Holdfast takes two at once for one. The channel tells the child when this process is killed.
 *
 * @param {string} node
 * @param {readonly string[]} commandLine options of Node.js, the script, its arguments
 * @param {{ channel?: boolean, compileCache?: string }} [options]
 */
export function runAsChild(node, commandLine, options = {}) {
  const child = spawn(node, commandLine, {
    stdio: options.channel ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit',
    env: { NODE_COMPILE_CACHE: options.compileCache ?? compileCache, ...SETTINGS, ...process.env },
  });
  for (const signal of INTERRUPTS) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`${node} did not start: ${error.message}.`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const name of INTERRUPTS) process.removeAllListeners(name);
    process.exitCode = 128 + constants.signals[signal];
    process.kill(process.pid, signal);
  });
}

/** Where Node.js keeps compiled code between runs: about a third of the time to start. */
export const compileCache = join(packageRoot, 'node_modules', '.cache', 'compiled');

/**
 * Compares the lock file with the copy of it that npm leaves beside what it installed. Optional packages may be absent
 * (they are for other platforms), packages for development where they are not needed.
 */
function isInstalled(development) {
  const wanted = readPackages(join(packageRoot, 'package-lock.json'));
  const installed = readPackages(join(packageRoot, 'node_modules', '.package-lock.json'));
  if (wanted === undefined || installed === undefined || pinnedNode() === undefined) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    const found = installed[path];
    if (found !== undefined) return found.version === entry.version && found.integrity === entry.integrity;
    return path === '' || entry.optional || entry.devOptional || (entry.dev && !development);
  });
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function pinnedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json');
    const path = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Two commands that are started at once on a fresh clone must not install over each other: the second one waits. */
function installOnce(development) {
  const lock = join(packageRoot, '.installing');
  for (let attempt = 0; !takeLock(lock); attempt++) {
    if (attempt === 0) tell(`waiting for another process that installs (${lock}) …`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  try {
    if (!isInstalled(development)) install(development);
  } finally {
    rmSync(lock, { force: true });
  }
}

function takeLock(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') fail(`${lock} could not be made: ${error.message}.`);
  }
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
  } catch (error) {
    if (error.code === 'ESRCH') rmSync(lock, { force: true });
  }
  return false;
}

function install(development) {
  tell('installing what package-lock.json names (once, some seconds) …');
  const omit = development || existsSync(join(packageRoot, '.git')) ? [] : ['--omit=dev'];
  const quietly = ['--no-audit', '--no-fund', '--loglevel=error', ...omit];
  // `npm ci` refuses a lock file that was made where some other platform's optional package was not to be had.
  const failure = npm(['ci', ...quietly]) && npm(['install', '--no-save', ...quietly]);
  if (failure) {
    fail(`${failure}\nHoldfast's dependencies are not installed. Run "npm ci" in ${packageRoot}, then start again.`);
  }
  if (pinnedNode() === undefined) npm(['rebuild', 'node', '--ignore-scripts=false', '--loglevel=error']);
}

/** @returns {string | undefined} what npm said, where it failed */
function npm(commandLine) {
  const result = spawnSync('npm', commandLine, {
    cwd: packageRoot,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (result.status === 0) return undefined;
  const cause = result.error?.message ?? `ended with ${result.signal ?? result.status}`;
  return `"npm ${commandLine.join(' ')}" ${cause}.\n${result.stderr ?? ''}`;
}

/** Whoever asks for JSON reads each line of standard error as such. */
function tell(warning) {
  const line = process.argv.includes('--json') ? JSON.stringify({ warning }) : `Holdfast: ${warning}`;
  process.stderr.write(`${line}\n`);
}

function fail(message) {
  process.stderr.write(`holdfast: ${message}\n`);
  process.exit(failureCode());
}

/** PostgreSQL takes 1 from its `restore_command` for the end of the log: what does not even start must not end with it. */
export function failureCode() {
  return process.argv.includes('wal-get') ? 255 : 1;
}

/** As package.json's scripts set it too: buffers that threads take turns with need not lie about in a pool of each thread. */
const SETTINGS = { MALLOC_ARENA_MAX: '2' };
