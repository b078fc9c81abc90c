import { beginningOf, LARGE, SMALL } from './configurations.ts';
import { type Exploration, explore } from './explore.ts';
import { ALL_RULES } from './protocol-state.ts';
import { commitProtocol } from './protocol-steps.ts';
import { ALL_ROTATION_RULES, rotationOf, rotationProtocol } from './rotation-protocol.ts';

/* `npm run model`: the larger configurations, as far as memory goes. Ends with 1 if anything is broken. */
const MOST_STATES = Number(process.env.HOLDFAST_MODEL_STATES ?? 4_000_000);

for (const configuration of [...SMALL, ...LARGE])
  report(configuration.name, () => explore(beginningOf(configuration), commitProtocol(ALL_RULES), MOST_STATES));
report('four rotations of the key and an opening', () =>
  explore(rotationOf(4, 1), rotationProtocol(ALL_ROTATION_RULES), MOST_STATES),
);

function report(name: string, look: () => Exploration): void {
  const began = performance.now();
  const { states, cut, violation } = look();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const outcome = violation === undefined ? (cut ? 'holds so far, not all looked at' : 'holds') : violation.what;
  process.stdout.write(`${name}: ${states.toLocaleString('en')} states, ${seconds} s: ${outcome}\n`);
  if (violation === undefined) return;
  process.exitCode = 1;
  process.stdout.write(`  ${violation.trace.join('\n  ')}\n`);
}
