import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { createDrillFolders } from '../src/process/drill-folders.ts';
import { isProcessAlive, ownProcess } from '../src/process/process-owner.ts';
import { createMysqlVariantVerifier } from '../src/services/mysql/variant-verifier.ts';

/** Is in the middle of loading a variant when it says so, and stays there until it is killed. */
const [parent = ''] = process.argv.slice(2);
const folders = createDrillFolders({ owner: ownProcess(), isAlive: isProcessAlive, parent });
const verifier = createMysqlVariantVerifier({ sealer: createSqlSealer(), folders });
const report = () => ({ tables: [], canary: { looked: 0, originals: 0 } });
await verifier.verify(
  { format: 'sql', dialect: 'mysql', fileExtension: '.sql', report },
  endless(),
  new AbortController().signal,
);

async function* endless(): AsyncGenerator<Uint8Array> {
  // More than the head, for which no server is needed.
  yield Buffer.from(`CREATE TABLE t (a int);\n${'INSERT INTO t VALUES (1);\n'.repeat(1000)}`);
  process.stdout.write('loading\n');
  await new Promise((resolve) => setTimeout(resolve, 600_000));
}
