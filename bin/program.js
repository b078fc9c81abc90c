import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { basename, join } from 'node:path';
import { compileCache, packageRoot } from './checkout.js';

/** Not below `node_modules`: `npm ci` removes all of that, and a service that runs would miss what it has yet to import. */
const BUNDLES = join(packageRoot, '.bundles');
const SOURCE = join(packageRoot, 'src', 'main.ts');
export const KEEP_EVERY_MILLISECONDS = 600_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/**
 * What to run: a bundle of the sources, which starts several times as fast as they do (decision 43). A checkout gets a new
 * one whenever its sources, its packages or the launcher changed; a package brings one along. Where none can be made, the
 * sources themselves.
 *
 * @returns {Promise<{ main: string, compileCache: string, keep(): void }>} the module to start, where its compiled code is kept,
 *   and what tells, called every `KEEP_EVERY_MILLISECONDS`, that the bundle is in use
 */
export async function programToRun() {
  const sources = { main: SOURCE, compileCache, keep: () => undefined };
  if (!existsSync(SOURCE)) return { ...sources, main: join(packageRoot, 'dist', 'main.mjs') };
  if (process.env.HOLDFAST_FROM_SOURCES) return sources;
  try {
    const folder = await currentBundle();
    const keep = () => markUsed(folder);
    keep();
    return { main: join(folder, 'main.mjs'), compileCache: join(folder, 'compiled'), keep };
  } catch (error) {
    tellOfFailure(error);
    return sources;
  }
}

async function currentBundle() {
  for (let attempt = 1; attempt <= 3; attempt++) {
    const name = nameOfInputs();
    const folder = join(BUNDLES, name);
    if (existsSync(join(folder, 'main.mjs')) || (await makeBundle(folder, () => nameOfInputs() === name)))
      return folder;
  }
  throw new Error('the sources change all the time.');
}

/** Size and times of change of each file that goes into a bundle. */
function nameOfInputs() {
  let facts = '';
  const add = (path, timesOf) => {
    const status = statSync(path, { throwIfNoEntry: false });
    if (status !== undefined) facts += `${path}\0${status.size}\0${timesOf(status)}\n`;
  };
  const addFolder = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) addFolder(path);
      // Whoever copies sources may give them all one time (SOURCE_DATE_EPOCH); the time of the inode nobody can choose.
      else if (!entry.name.endsWith('.test.ts')) add(path, ({ mtimeMs, ctimeMs }) => `${mtimeMs}\0${ctimeMs}`);
    }
  };
  addFolder(join(packageRoot, 'src'));
  addFolder(join(packageRoot, 'bin'));
  // The last one is npm's account of what it installed.
  const others = ['package.json', 'package-lock.json', 'tsconfig.json', 'node_modules/.package-lock.json'];
  for (const name of others) add(join(packageRoot, name), ({ mtimeMs }) => mtimeMs);
  return createHash('sha256').update(facts).digest('hex').slice(0, 32);
}

/**
 * Built aside and renamed: a bundle is there as a whole or not at all, however many processes start at once.
 *
 * @param {string} folder
 * @param {() => boolean} isCurrent whether the sources are still those that the folder is named after
 * @returns {Promise<boolean>} false where they are not: it is made of some of these and some of those
 */
async function makeBundle(folder, isCurrent) {
  mkdirSync(BUNDLES, { recursive: true });
  const aside = mkdtempSync(join(BUNDLES, ASIDE));
  try {
    if (process.stderr.isTTY && !process.argv.includes('--json'))
      process.stderr.write('Holdfast: preparing the program (once after each change) …\n');
    const { buildBundle, syncFolder } = await import('./bundle-build.js');
    // The folder is made anew because mkdtemp lets no other account in; servers of databases start Holdfast as their own.
    await buildBundle(join(aside, 'bundle'), folder);
    if (!isCurrent()) return false;
    putInPlace(join(aside, 'bundle'), folder, join(aside, 'incomplete'));
    syncFolder(BUNDLES);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  removeOldBundles(folder);
  return true;
}

function putInPlace(made, folder, incomplete) {
  try {
    renameSync(made, folder);
  } catch (error) {
    // Where another process was faster, what it made is the same.
    if (existsSync(join(folder, 'main.mjs'))) return;
    if (!existsSync(folder)) throw error;
    // What a process keeps of compiled code comes back after somebody removed its bundle.
    renameSync(folder, incomplete);
    renameSync(made, folder);
  }
}

/** A running process may import from its bundle at any time, and says every ten minutes that it is there. */
function removeOldBundles(folder) {
  const all = readdirSync(BUNDLES).map((name) => join(BUNDLES, name));
  // A build takes some seconds; what one left behind that was killed is no bundle.
  for (const path of all.filter(isAside)) if (unchangedFor(path) > HOUR) removeBundle(path);
  const others = all
    .filter((path) => path !== folder && !isAside(path))
    .map((path) => ({ path, age: unusedFor(path) }))
    .sort((one, other) => one.age - other.age);
  for (const [index, { path, age }] of others.entries()) {
    if (age > 7 * DAY || (index >= MOST_BUNDLES && age > HOUR)) removeBundle(path);
  }
}

const MOST_BUNDLES = 8;

/**
 * Milliseconds. Accounts that may not write to a bundle read its folder instead (`noteReading`), of which most file systems take
 * note once a day.
 */
function unusedFor(path) {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return 0;
  const { mtimeMs, atimeMs } = status;
  return Date.now() - (atimeMs > mtimeMs ? atimeMs + DAY : mtimeMs);
}

/** Under a name that no start looks for, so that half of a bundle is never taken for a whole one. */
function removeBundle(path) {
  try {
    const old = basename(path).startsWith(OLD) ? path : join(BUNDLES, `${OLD}${basename(path)}`);
    if (old !== path) renameSync(path, old);
    rmSync(old, { recursive: true, force: true });
  } catch {
    // It holds what another account compiled, or another process removes it too: that is no reason not to run the new one.
  }
}

const OLD = 'old-';
const ASIDE = 'new-';
const isAside = (path) => basename(path).startsWith(ASIDE);

function unchangedFor(path) {
  const status = statSync(path, { throwIfNoEntry: false });
  return status === undefined ? 0 : Date.now() - status.mtimeMs;
}

/** Never fails: it is called in the middle of everything, and what it is for matters in a week. */
function markUsed(folder) {
  try {
    const now = new Date();
    utimesSync(folder, now, now);
  } catch {
    noteReading(folder);
  }
}

function noteReading(folder) {
  try {
    readdirSync(folder);
  } catch {
    // The bundle is gone, or the disk is: whoever imports from it next tells.
  }
}

const MAY_NOT_WRITE = new Set(['EACCES', 'EPERM', 'EROFS']);

/** A checkout that must not be written to is nothing to complain of in every run of a timer or of a database's server. */
function tellOfFailure(error) {
  if (MAY_NOT_WRITE.has(error.code) && !process.stderr.isTTY) return;
  const [reason] = String(error.errors?.[0]?.text ?? error.message).split('\n');
  const warning = `running from the sources, which takes longer to start: ${reason}`;
  const line = process.argv.includes('--json') ? JSON.stringify({ warning }) : `Holdfast: ${warning}`;
  process.stderr.write(`${line}\n`);
}
