import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guessKey, isWrittenName, requireUserName } from './user-name.ts';

test('a name has one form, whatever its case, width and composition', () => {
  for (const same of ['rené', 'RENÉ', 'rene\u0301', 'ＲＥＮÉ']) assert.equal(requireUserName(same), 'rené');
  assert.equal(requireUserName('fred.o-neil_2@example.org'), 'fred.o-neil_2@example.org');
  assert.equal(requireUserName('ﬁona'), 'fiona');
  for (const none of [
    '',
    ' ',
    'a b',
    'a:b',
    '-x',
    '@x',
    'a\u202eb',
    'a\u200db',
    'hf_x',
    'ＨＦ_x',
    'Local',
    'x'.repeat(65),
  ]) {
    assert.throws(() => requireUserName(none), { code: 'user-name-invalid' }, none);
  }
});

test('names from elsewhere are visible text of one line', () => {
  for (const name of ['fred', 'Fred Öl', 'auth0|123', 'cn=x,ou=y', '漢字', 'a\u0301'])
    assert.ok(isWrittenName(name), name);
  const invisible = [
    '\0',
    '\n',
    '\u00ad',
    '\u200b',
    '\ufeff',
    '\u202e',
    '\u{e0041}',
    '\ufe0f',
    '\u3164',
    '\u00a0',
    '\u2028',
  ];
  for (const each of invisible) assert.ok(!isWrittenName(`a${each}b`), escape(each));
  for (const name of ['', ' a', 'a ', 'a  b', 'x'.repeat(257)]) assert.ok(!isWrittenName(name), name);
});

test('guesses at names that a directory may take for one are counted together', () => {
  for (const same of ['fred', 'FRED', 'fréd', ' f r ed', 'fre\u00add', 'ｆｒｅｄ', 'fred\0'])
    assert.equal(guessKey(same), 'fred');
  assert.notEqual(guessKey('fred'), guessKey('freda'));
});
