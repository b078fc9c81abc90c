#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import nodeModule from 'node:module';
import { pathToFileURL } from 'node:url';
import { failureCode, prepareCheckout, runAsChild } from './checkout.js';
import { KEEP_EVERY_MILLISECONDS, programToRun } from './program.js';

const node = prepareCheckout({ development: false });
const { main, compileCache, keep } = await programToRun();
setInterval(keep, KEEP_EVERY_MILLISECONDS).unref();

if (realpathSync(node) === realpathSync(process.execPath)) {
  // Under `npm start` the pinned Node.js is first on PATH: no second process is needed.
  // Worker threads look for it in the environment.
  process.env.NODE_COMPILE_CACHE ??= compileCache;
  nodeModule.enableCompileCache(compileCache);
  // Takes a tenth of a second and more, so only where somebody wants to see where an error came from.
  if (process.env.HOLDFAST_DEBUG) process.setSourceMapsEnabled(true);
  process.argv[1] = main;
  try {
    await import(pathToFileURL(main).href);
  } catch (error) {
    process.stderr.write(`holdfast: it does not start: ${error?.stack ?? error}\n`);
    process.exit(failureCode());
  }
} else {
  // As package.json's scripts do: a small nursery for young objects, nearly all of which die at once, saves tens of megabytes.
  const options = ['--max-semi-space-size=4', ...(process.env.HOLDFAST_DEBUG ? ['--enable-source-maps'] : [])];
  runAsChild(node, [...options, main, ...process.argv.slice(2)], { channel: true, compileCache });
}
