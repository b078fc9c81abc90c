import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadRefusal } from './load-refusal.ts';

const BROKEN = `psql:<stdin>:77: ERROR:  23503: insert or update on table "orders" violates foreign key constraint "orders_user_fkey"
DETAIL:  Key (user_email)=(fred@corp.example) is not present in table "users".
SCHEMA NAME:  public
TABLE NAME:  orders
CONSTRAINT NAME:  orders_user_fkey
LOCATION:  ri_ReportViolation, ri_triggers.c:2609
`;

test('a constraint that does not hold is named, and no value', () => {
  const { code, message, details } = loadRefusal(BROKEN, '15.3');
  assert.equal(code, 'variant-not-loadable');
  assert.match(message, /constraint orders_user_fkey of public\.orders does not hold \(23503\)/);
  assert.doesNotMatch(message + JSON.stringify(details), /fred|corp/);
  const column = BROKEN.replace('23503', '23502').replace('CONSTRAINT NAME:  orders_user_fkey', 'COLUMN NAME:  email');
  assert.match(loadRefusal(column, '15.3').message, /column email of public\.orders is NULL/);
});

test('values that look like the names of a complaint are not told', () => {
  const forged = [
    BROKEN.replace('fred@', 'fred\nTABLE NAME:  secret@'),
    BROKEN.replace('fred@', 'fred\nCONSTRAINT NAME:  secret'),
    'psql:<stdin>:3: ERROR:  22P02: invalid input syntax for type integer: "x\nTABLE NAME:  secret\nSCHEMA NAME:  secret\nCONSTRAINT NAME:  secret"\n',
    'psql:<stdin>:3: ERROR:  42601: syntax error at or near "secret"\nLINE 1: secret;\n',
    'psql:<stdin>:3: ERROR:  XX000: secret\n',
  ];
  for (const stderr of forged) {
    const { message, details } = loadRefusal(stderr, '15.3');
    assert.doesNotMatch(message + JSON.stringify(details), /secret|fred/, stderr);
    assert.match(message, /does not load into PostgreSQL 15\.3: .* \((23503|22P02|42601|XX000)\)/);
  }
});

test('what this machine lacks is not the fault of the variant', () => {
  const lacking = loadRefusal('psql:<stdin>:9: ERROR:  0A000: extension "postgis" is not available\n', '15.3');
  assert.deepEqual([lacking.code, lacking.kind], ['variant-verifier-missing', 'unsupported']);
  const full = loadRefusal('ERROR:  53100: could not extend file: No space left on device\n', '15.3');
  assert.equal(full.kind, 'unavailable');
  assert.equal(loadRefusal('', '15.3').kind, 'unavailable');
});
