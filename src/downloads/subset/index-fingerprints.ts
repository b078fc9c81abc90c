import { createHash } from 'node:crypto';
import type { SubsetPlan } from './subset-plan.ts';

/** What an index of keys hangs on besides the content: tables and edges, and nothing of what a policy chooses rows by. Hex. */
export function keysFingerprint({ tables, edges }: SubsetPlan): string {
  return digest([
    tables.map(({ name, members }) => [name, members]),
    edges.map(({ isCut: _, title: _title, ...edge }) => edge),
  ]);
}

/** What facts of rows hang on besides the content: columns and conditions; no seed, share, limit or budget. Hex. */
export function factsFingerprint({ tables, roots }: SubsetPlan): string {
  return digest([
    tables.map(({ name, members, sampledBy }) => [name, members, sampledBy]),
    roots.map(({ table, where, families, newest }) => [table, where, families, newest && [newest.by, newest.family]]),
  ]);
}

function digest(facts: unknown): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}
