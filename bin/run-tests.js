import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
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
  patterns.push('src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts');
}
const node = prepareCheckout({ development: true });
const concurrency = `--test-concurrency=${Math.max(2, availableParallelism())}`;
const limit = `--import=${new URL('test-limit.js', import.meta.url)}`;
runAsChild(node, ['--test', '--test-reporter=spec', limit, concurrency, ...options, ...patterns]);
