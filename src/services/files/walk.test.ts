import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { parseFilesConfiguration } from './configuration.ts';
import { walk } from './walk.ts';

describe('a walk', () => {
  /** Of the folders a, b and c with a file in each. */
  function newTree(context: TestContext): string {
    const root = mkdtempSync(path.join(tmpdir(), 'holdfast-walk-'));
    context.after(() => rmSync(root, { recursive: true }));
    for (const folder of ['a', 'b', 'c']) {
      mkdirSync(`${root}/${folder}`);
      writeFileSync(`${root}/${folder}/file`, folder);
    }
    return root;
  }

  /**
   * @param meanwhile is called with each path, relative to the root, before the walk goes on
   * @returns the paths, and what warnings begin with
   */
  async function walked(root: string, meanwhile: (path: string) => Promise<void> | void): Promise<string[]> {
    const events: string[] = [];
    const { signal } = new AbortController();
    const warn = (message: string): unknown => events.push(message.split(',')[0]!);
    for await (const paths of walk(parseFilesConfiguration({ paths: [root] }), { signal, warn }))
      for (const each of paths) {
        const relative = `/${each}`.slice(root.length + 1);
        events.push(relative);
        await meanwhile(relative);
      }
    return events.slice(1);
  }

  test('finds what came to a folder, or got another name, while the one before it was read for long', async (context) => {
    const root = newTree(context);
    let passed = 0;
    const started = performance.now();
    context.mock.method(performance, 'now', () => started + passed);
    const events = await walked(root, (each) => {
      if (each !== 'a/file') return;
      passed += 60_000;
      writeFileSync(`${root}/b/new`, 'new');
      renameSync(`${root}/b/file`, `${root}/b/renamed`);
    });
    assert.deepEqual(events, ['a', 'a/file', 'b', 'b/new', 'b/renamed', 'c', 'c/file']);
  });

  test('tells of a folder that could not be listed once, and not before it comes to it', async (context) => {
    const root = newTree(context);
    const events = await walked(root, async (each) => {
      if (each === 'a') rmSync(`${root}/c`, { recursive: true });
      // The attempt to list it ahead has failed by then.
      if (each === 'b/file') await setTimeout(50);
    });
    assert.deepEqual(events, ['a', 'a/file', 'b', 'b/file', 'c', `${root}/c could not be listed`]);
  });
});
