import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compressionRatio } from './backup-answer.ts';

describe('compressionRatio', () => {
  it('is the share that was saved, in whole per cent', () => {
    assert.equal(compressionRatio(2048, 512), 75);
    assert.equal(compressionRatio(10_240, 2048), 80);
    assert.equal(compressionRatio(3, 2), 33);
    assert.equal(compressionRatio(0, 0), 0);
    assert.equal(compressionRatio(10, 12), -20);
  });
});
