import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { compileCache, packageRoot } from './checkout.js';

const BUNDLES = join(packageRoot, 'node_modules', '.cache', 'bundles');
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

/** Size and time of change of each file that goes into a bundle. */
function nameOfInputs() {
  let facts = '';
  const add = (path) => {
    const status = statSync(path, { throwIfNoEntry: false });
    if (status !== undefined) facts += `${path}\0${status.size}\0${status.mtimeMs}\n`;
  };
  const addFolder = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) addFolder(path);
      else if (!entry.name.endsWith('.test.ts')) add(path);
    }
  };
  addFolder(join(packageRoot, 'src'));
  addFolder(join(packageRoot, 'bin'));
  // The last one is npm's account of what it installed.
  const others = ['package.json', 'package-lock.json', 'tsconfig.json', 'node_modules/.package-lock.json'];
  for (const name of others) add(join(packageRoot, name));
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
  const aside = mkdtempSync(join(BUNDLES, 'new-'));
  try {
    if (process.stderr.isTTY) process.stderr.write('Holdfast: preparing the program (once after each change) …\n');
    const { buildBundle, syncFolder } = await import('./bundle-build.js');
    // The folder is made anew because mkdtemp lets no other account in; servers of databases start Holdfast as their own.
    await buildBundle(join(aside, 'bundle'), folder);
    if (!isCurrent()) return false;
    try {
      renameSync(join(aside, 'bundle'), folder);
    } catch (error) {
      // Another process was faster; what it made is the same.
      if (!existsSync(join(folder, 'main.mjs'))) throw error;
    }
    syncFolder(BUNDLES);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  removeOldBundles(folder);
  return true;
}

/** A running process may import from its bundle at any time, and says every ten minutes that it is there. */
function removeOldBundles(folder) {
  const others = readdirSync(BUNDLES)
    .map((name) => join(BUNDLES, name))
    .filter((path) => path !== folder)
    .map((path) => ({ path, age: Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) }))
    .sort((one, other) => one.age - other.age);
  for (const [index, { path, age }] of others.entries()) {
    if (age > 7 * DAY || (index >= MOST_BUNDLES && age > HOUR)) rmSync(path, { recursive: true, force: true });
  }
}

const MOST_BUNDLES = 8;

function markUsed(folder) {
  try {
    const now = new Date();
    utimesSync(folder, now, now);
  } catch (error) {
    // Another account may run the program but not say so.
    if (!MAY_NOT_WRITE.has(error.code) && error.code !== 'ENOENT') throw error;
  }
}

const MAY_NOT_WRITE = new Set(['EACCES', 'EPERM', 'EROFS']);

/** A checkout that must not be written to is nothing to complain of in every run of a timer or of a database's server. */
function tellOfFailure(error) {
  if (MAY_NOT_WRITE.has(error.code) && !process.stderr.isTTY) return;
  const [reason] = String(error.errors?.[0]?.text ?? error.message).split('\n');
  process.stderr.write(`Holdfast: running from the sources, which takes longer to start: ${reason}\n`);
}
