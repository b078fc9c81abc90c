import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { beginningOf, SMALL } from './model/configurations.ts';
import { type Exploration, explore } from './model/explore.ts';
import { ALL_RULES, type Rules } from './model/protocol-state.ts';
import { commitProtocol } from './model/protocol-steps.ts';
import { ALL_ROTATION_RULES, type RotationRules, rotationOf, rotationProtocol } from './model/rotation-protocol.ts';

describe('the model of commits, collections and the trash', () => {
  for (const configuration of SMALL)
    test(`holds in every order of steps, with a crash anywhere: ${configuration.name}`, (context) => {
      assertHolds(context, explore(beginningOf(configuration), commitProtocol(ALL_RULES)));
    });

  for (const rule of Object.keys(ALL_RULES) as (keyof Rules)[])
    test(`breaks without the rule "${rule}"`, (context) => {
      const showing = SMALL.filter(({ shows }) => shows?.includes(rule));
      assert.ok(showing.length > 0);
      for (const configuration of showing)
        assertBreaks(context, explore(beginningOf(configuration), commitProtocol({ ...ALL_RULES, [rule]: false })));
    });
});

describe('the model of rotating keys', () => {
  test('holds in every order of steps of three rotations and an opening, with a crash anywhere', (context) => {
    assertHolds(context, explore(rotationOf(3, 1), rotationProtocol(ALL_ROTATION_RULES)));
  });

  for (const rule of Object.keys(ALL_ROTATION_RULES) as (keyof RotationRules)[])
    test(`breaks without the rule "${rule}"`, (context) => {
      assertBreaks(context, explore(rotationOf(3, 1), rotationProtocol({ ...ALL_ROTATION_RULES, [rule]: false })));
    });
});

function assertHolds(context: TestContext, { states, cut, violation }: Exploration): void {
  context.diagnostic(`${states} states`);
  assert.equal(violation, undefined, `${violation?.what}: ${violation?.trace.join(', ')}`);
  assert.ok(!cut, 'there are too many states');
}

/** Else either the rule is not needed, or the model does not show why it is. */
function assertBreaks(context: TestContext, { violation }: Exploration): void {
  assert.ok(violation !== undefined, 'no order of steps breaks anything');
  context.diagnostic(`${violation.what}: ${violation.trace.join(', ')}`);
}
