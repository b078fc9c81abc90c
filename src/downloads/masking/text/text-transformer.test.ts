import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NO_ROW } from '../json/json-masker.ts';
import type { ColumnFacts } from '../transformer.ts';
import { looksPersonal } from './personal-text.ts';
import { textTransformer } from './text-transformer.ts';

const COLUMN: ColumnFacts = { family: 'text', type: 'text', isNullable: false };

function scrub(text: string, policy: Record<string, unknown> = {}, column = COLUMN): string | null {
  const context = { key: Buffer.alloc(32), column, indexOf: () => 0, inner: () => undefined };
  return textTransformer.create(textTransformer.options.parse(policy), context)(text, NO_ROW);
}

describe('scrubbing free text', () => {
  const finds: [string, string][] = [
    ['Write to Jane.Doe+x@mail.example.org, please.', 'Write to [email], please.'],
    ['jürgen@exämple.de or root@localhost', '[email] or [email]'],
    ['a@b@c', '[email]@c'],
    ['see https://u:p@example.org/x?id=1#y) and www.example.org.', 'see [url] and [url]'],
    ['call +49 (30) 123 45-67 or 0301234567 0309876543.', 'call [phone] or [phone] [phone].'],
    ['tel0301234567x12', 'tel[phone]x12'],
    ['card 4111 1111 1111 1111, not 4111 1111', 'card [card], not [phone]'],
    ['IBAN DE89 3704 0044 0532 0130 00 thanks', 'IBAN [iban] thanks'],
    ['from 192.168.0.1, 2001:db8::1 and ::ffff:10.0.0.1', 'from [ip], [ip] and [ip]'],
    ['on 2026-01-31 10:00:00 order 12345', 'on 2026-01-31 10:00:00 order 12345'],
    [
      '550e8400-e29b-41d4-a716-446655440000 d41d8cd98f00b204e9800998ecf8427e',
      '550e8400-e29b-41d4-a716-446655440000 d41d8cd98f00b204e9800998ecf8427e',
    ],
    ['nothing here', 'nothing here'],
    ['', ''],
  ];
  for (const [text, expected] of finds)
    it(`leaves ${expected || 'nothing'}`, () => assert.equal(scrub(text), expected));

  it('replaces only what it is told to', () => {
    assert.equal(scrub('a@b.example 0301234567', { scrub: ['phone'] }), 'a@b.example [phone]');
  });

  it('cuts to as many characters as the policy or the column allows, never within one', () => {
    assert.equal(scrub('𝄞𝄞𝄞', { max: 2 }), '𝄞𝄞');
    assert.equal(scrub('x@y', {}, { ...COLUMN, maxLength: 4 }), '[ema');
  });

  it('takes time that grows no faster than a hostile text', () => {
    for (const piece of [
      'a',
      '@',
      'a@',
      '1',
      '1 ',
      '1.',
      ':',
      'a:',
      'DE89',
      'DE89 ',
      'www.',
      'a://',
      '1.1.1.',
      '12345678-',
      '0a',
      '(',
    ]) {
      const time = (length: number) => {
        const text = piece.repeat(length / piece.length);
        const start = process.cpuUsage();
        scrub(text);
        const { user, system } = process.cpuUsage(start);
        return user + system;
      };
      time(20_000);
      // Microseconds. Quadratic work on so many characters takes a minute.
      assert.ok(time(200_000) < 10_000_000, piece);
    }
  });

  it('tells names in JSON that are personal from those that are not', () => {
    for (const name of ['a@b.example', '+49301234567', '4111111111111111', '10.0.0.1'])
      assert.ok(looksPersonal(name), name);
    for (const name of [
      'email',
      'line1',
      '2026-01-31',
      '550e8400-e29b-41d4-a716-446655440000',
      'sha256',
      '@type',
      'utf-8',
    ]) {
      assert.ok(!looksPersonal(name), name);
    }
  });
});
