import type { DrillFolders } from '../../core/ports/drill-folders.ts';
import type { SqlSealer } from '../../core/ports/sql-sealer.ts';
import type { LoadedVariant, VariantVerifier } from '../../core/ports/variant-verifier.ts';
import { withHead } from '../../core/stream-head.ts';
import { serverToLoadInto } from '../../core/variant-verification.ts';
import { feedChild } from '../../process/fed-child.ts';
import { InsertedLines } from './inserted-lines.ts';
import {
  type BrokenConstraint,
  brokenConstraint,
  type Complaint,
  complaintOf,
  duplicateKey,
  isRefusedAsWhole,
  loadRefusal,
  tooSlow,
} from './load-refusal.ts';
import { type Checking, requireWhole, uniqueKeysOf } from './loaded-content.ts';
import { PrivateServer } from './private-server.ts';
import { findServerPrograms } from './server-programs.ts';
import { dumpedVersion, HEAD } from './server-version.ts';

/** For one statement: one that never ends must not keep a server for ever. */
const PATIENCE_SECONDS = 3600;

export interface MysqlVariantVerifierParts {
  sealer: SqlSealer;
  /** For the server's files, removed on every path. */
  folders: DrillFolders;
  /** Where programs are looked for; default: where packages put them. */
  places?: readonly string[];
  patienceSeconds?: number;
}

/**
 * Loads dumps of MySQL and MariaDB as a developer does, sealed, into a server of its own that is thrown away. Such a dump switches the checks of references off
 * for itself, so that these are looked at behind it, as are the numbers of rows.
 */
export function createMysqlVariantVerifier(parts: MysqlVariantVerifierParts): VariantVerifier {
  const { folders, sealer, places, patienceSeconds = PATIENCE_SECONDS } = parts;
  return {
    async verify(material, bytes, signal) {
      await withHead(bytes, HEAD, async (head, dump) => {
        const dumped = dumpedVersion(head.toString('latin1'));
        const programs = await serverToLoadInto(() => findServerPrograms(dumped, places));
        const folder = await folders.make();
        try {
          const server = await PrivateServer.prepare({ programs, folder: folder.path, signal });
          try {
            await server.start();
            const checking = { server, load: { server: programs, dumped }, signal, patienceSeconds };
            await load(sealer.seal(dump, { dialect: 'mysql', mode: 'create', title: 'variant' }), material, checking);
          } finally {
            await server.stop();
          }
        } finally {
          await folder.remove();
        }
      });
    },
  };
}

async function load(sealed: AsyncIterable<Uint8Array>, material: LoadedVariant, checking: Checking): Promise<void> {
  const { server, signal, patienceSeconds: seconds } = checking;
  const client = server.client([]);
  client.stdout.resume();
  const lines = new InsertedLines();
  const patience = { seconds, exceeded: () => tooSlow(checking.load, seconds) };
  const { exitCode, stderr } = await feedChild(client, lines.over(sealed), { signal, patience });
  if (exitCode === 0) return requireWhole(material.report(), checking);
  const complaint = server.isRunning ? complaintOf(stderr) : undefined;
  const broken = complaint === undefined ? undefined : await whatBroke(complaint, lines, checking);
  throw loadRefusal(complaint, checking.load, broken);
}

async function whatBroke(
  complaint: Complaint,
  lines: InsertedLines,
  checking: Checking,
): Promise<BrokenConstraint | undefined> {
  const table = lines.tableAt(complaint.line);
  const key = duplicateKey(complaint);
  const isWhole = isRefusedAsWhole(complaint);
  if (table === undefined || (key === undefined && !isWhole)) return brokenConstraint(complaint);
  // Only what the server knows as names is told: either could be a part of a value.
  const known = await uniqueKeysOf(table, checking);
  if (isWhole) return known.size > 0 ? { table } : undefined;
  const constraint = key?.startsWith(`${table}.`) ? key.slice(table.length + 1) : key;
  return constraint !== undefined && known.has(constraint) ? { table, constraint } : undefined;
}
