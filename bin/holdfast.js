#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import nodeModule from 'node:module';
import { join } from 'node:path';
import { compileCache, failureCode, packageRoot, prepareCheckout, runAsChild } from './checkout.js';

const node = prepareCheckout({ development: false });
const main = join(packageRoot, 'src', 'main.ts');

if (realpathSync(node) === realpathSync(process.execPath)) {
  // Under `npm start` the pinned Node.js is first on PATH: no second process is needed.
  // Worker threads look for it in the environment.
  process.env.NODE_COMPILE_CACHE ??= compileCache;
  nodeModule.enableCompileCache(compileCache);
  process.argv[1] = main;
  try {
    await import(main);
  } catch (error) {
    process.stderr.write(`holdfast: it does not start: ${error?.stack ?? error}\n`);
    process.exit(failureCode());
  }
} else {
  // As package.json's scripts do: a small nursery for young objects, nearly all of which die at once, saves tens of megabytes.
  runAsChild(node, ['--max-semi-space-size=4', main, ...process.argv.slice(2)], { channel: true });
}
