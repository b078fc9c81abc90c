import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { MaskingRun } from '../src/downloads/masking/masking-run.ts';
import { TRANSFORMERS } from '../src/downloads/masking/transformers.ts';
import type { FileTree } from '../src/downloads/policy/compile/compilation.ts';
import { type CompiledPolicy, compilePolicy } from '../src/downloads/policy/compile/compile-policy.ts';
import type { MaskingPolicy } from '../src/downloads/policy/masking-policy.ts';
import { readPolicy } from '../src/downloads/policy/read-policy.ts';
import { parsePredicate } from '../src/downloads/predicate/parse-predicate.ts';

/** @param rules what stands under `files` in the policy */
export function run(rules: string, more: Partial<MaskingRun> = {}): MaskingRun {
  const { plan, problems } = compiled(policyOf(rules), { dialect: 'csv', tables: [] });
  assert.ok(plan, JSON.stringify(problems));
  const signal = new AbortController().signal;
  return { plan, key: new Uint8Array(32), threads: 2, signal, counts: { tables: new Map() }, ...more };
}

export function policyOf(rules: string): MaskingPolicy {
  const text = `version: 1\nresource: shop\nkey: env:KEY\nepoch: "1"\nvariants: { masked: { keep: full } }\nfiles:${rules}`;
  return readPolicy(text, { name: 'shop.yaml', parsePredicate });
}

export function compiled(policy: MaskingPolicy, content: FileTree): CompiledPolicy {
  const language = { checkPredicate: () => undefined, checkJsonPaths: () => undefined };
  return compilePolicy({ policy, variant: 'masked', content, transformers: TRANSFORMERS, language });
}

/** @returns the folder */
export function untar(archive: Buffer, target: string): string {
  mkdirSync(target, { recursive: true });
  const flags = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--same-owner', '--preserve-permissions'];
  const { status, stderr } = spawnSync('tar', ['-x', ...flags, '-C', target, '-f', '-'], { input: archive });
  assert.equal(status, 0, stderr.toString());
  return target;
}
