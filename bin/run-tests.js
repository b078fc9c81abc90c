import { readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { packageRoot, prepareCheckout, runAsChild } from './checkout.js';

/**
 * `npm test [-- [FILE|FOLDER|NAME|--option]...]`: files and folders say what to run (default: all), names are patterns of the
 * tests' names, options go to Node.js.
 */
const patterns = [];
const options = [];
for (const argument of process.argv.slice(2)) {
  const kind = statSync(argument, { throwIfNoEntry: false });
  if (argument.startsWith('--')) options.push(argument);
  else if (kind?.isDirectory()) patterns.push(join(argument, '**/*.test.ts'));
  else if (kind !== undefined || argument.endsWith('.ts')) patterns.push(argument);
  else options.push(`--test-name-pattern=${argument}`);
}
if (patterns.length === 0) {
  process.chdir(packageRoot);
  patterns.push(...allFiles());
}
const node = prepareCheckout({ development: true });
// Two more than there are cores: of most files a part of the time goes into waiting for servers and processes.
const concurrency = `--test-concurrency=${availableParallelism() + 2}`;
const limit = `--import=${new URL('test-limit.js', import.meta.url)}`;
runAsChild(node, ['--test', '--test-reporter=spec', limit, concurrency, ...options, ...patterns]);

/** The longest first, so that no core stands idle in the end: Node.js sorts the files, and an absolute path comes before all others. */
function allFiles() {
  const files = ['src', 'test', 'bench'].flatMap((folder) =>
    readdirSync(folder, { recursive: true }).map((name) => join(folder, name)),
  );
  const longest = longestFiles();
  const missing = longest.filter((file) => !files.includes(file));
  if (missing.length > 0)
    throw new Error(`bin/run-tests.js names test files that are not there: ${missing.join(', ')}`);
  return files
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => (longest.includes(file) ? resolve(file) : file));
}

/** A minute and more each as CI runs them. */
function longestFiles() {
  const names = ['fuzz', 'kills', 'postgresql-cuts', 'sealed-postgresql', 'simulation'];
  return names.map((name) => join('test', `${name}.test.ts`));
}
