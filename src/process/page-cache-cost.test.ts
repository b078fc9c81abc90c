import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PageCacheCost } from './page-cache-cost.ts';

const MEBIBYTE = 1024 * 1024;

describe('the cost of the page cache', () => {
  let clock = 0;
  const write = (cost: PageCacheCost, milliseconds: number, bytes = MEBIBYTE) =>
    cost.measure(bytes, () => {
      clock += milliseconds;
    });

  test('is low before anything is known, and while writes are quick for their length', () => {
    const cost = new PageCacheCost(() => clock);
    assert.equal(cost.takesNext(), true);
    for (let count = 0; count < 100; count++) write(cost, 4, MEBIBYTE * 10);
    assert.equal(cost.takesNext(), true);
  });

  test('is not high because of one write that had to wait', () => {
    const cost = new PageCacheCost(() => clock);
    for (let count = 0; count < 10; count++) write(cost, 0.4);
    write(cost, 500);
    assert.equal(cost.takesNext(), true);
  });

  test('is high where each write is slow, and low again soon after they no longer are', () => {
    const cost = new PageCacheCost(() => clock);
    for (let count = 0; count < 20; count++) write(cost, 4);
    let tried = 0;
    for (let count = 0; count < 320; count++)
      if (cost.takesNext()) {
        tried++;
        write(cost, 4);
      }
    assert.equal(tried, 10);
    tried = 0;
    for (let count = 0; count < 320; count++)
      if (cost.takesNext()) {
        tried++;
        write(cost, 0.4);
      }
    assert.ok(tried > 100, `only ${tried} writes`);
  });

  test('does not swallow what a write throws', () => {
    const failing = () => {
      throw new RangeError('full');
    };
    assert.throws(() => new PageCacheCost().measure(1, failing), RangeError);
  });
});
