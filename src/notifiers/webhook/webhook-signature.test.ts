import assert from 'node:assert/strict';
import test from 'node:test';
import { webhookSignature } from './webhook-signature.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const SIGNED = {
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: '1614265330',
  body: '{"test": 2432232314}',
};

test('a signature is that of the example that libraries of Standard Webhooks are tested with', () => {
  const expected = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  assert.equal(webhookSignature(SECRET, SIGNED), expected);
  assert.equal(webhookSignature(`${SECRET.slice('whsec_'.length)}\n`, SIGNED), expected, 'without the prefix');
  assert.notEqual(webhookSignature(SECRET, { ...SIGNED, timestamp: '1614265331' }), expected);
});

test('a secret that is none is refused, and not repeated', () => {
  for (const secret of ['', 'whsec_', 'hunter2 hunter2 hunter2 hunter2 hunter2', 'whsec_c2hvcnQ=', 'A'.repeat(100)])
    assert.throws(
      () => webhookSignature(secret, SIGNED),
      (error: Error & { code?: string }) =>
        error.code === 'webhook-secret-invalid' && (secret.length < 7 || !error.message.includes(secret)),
    );
});
