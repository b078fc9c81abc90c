import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProgram, skipWithout } from './installed-programs.ts';

const ABSENT = { 'no-such-program': 'package', 'nor-this': 'package', sh: 'dash' };
const SAID = 'no-such-program, nor-this MISSING, SO NONE OF THIS WAS TESTED. Run: apt-get install package';

test('a missing program is named with the command that installs it, and an error where nothing may be missing', (t) => {
  const before = process.env.HOLDFAST_REQUIRE_PROGRAMS ?? '';
  t.after(() => (process.env.HOLDFAST_REQUIRE_PROGRAMS = before));
  process.env.HOLDFAST_REQUIRE_PROGRAMS = '';
  assert.equal(skipWithout(ABSENT), SAID);
  process.env.HOLDFAST_REQUIRE_PROGRAMS = '1';
  assert.throws(() => skipWithout(ABSENT), { message: SAID });
  assert.equal(skipWithout({ sh: 'dash' }), false);
  assert.match(findProgram('sh') ?? '', /^\/.*\/sh$/);
});
