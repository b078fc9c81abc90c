import { resolve } from 'node:path';
import { prepareCheckout, runAsChild } from './checkout.js';

const [script, ...rest] = process.argv.slice(2);
if (script === undefined) {
  process.stderr.write('Use: node bin/with-pinned-node.js SCRIPT|--OPTION [ARGUMENT...]\n');
  process.exit(2);
}
const node = prepareCheckout({ development: true });
runAsChild(node, [script.startsWith('-') ? script : resolve(script), ...rest]);
