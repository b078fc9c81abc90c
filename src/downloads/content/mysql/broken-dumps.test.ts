import { it } from 'node:test';
import { assertNothingLeaks } from '../../../../test/broken-dumps-rig.ts';
import { piecesOf, plansFor, rule, runOf } from '../../../../test/masking-rig.ts';
import { type ContentPart, countsOf } from '../../masking/masking-pool.ts';
import { TableMasker } from '../../masking/table-masker.ts';
import { dumpPieces } from './dump-pieces.ts';
import { DumpRewriting } from './dump-rewriting.ts';
import { createMysqlInsertRows } from './insert-rows.ts';
import { createMysqlContent } from './mysql-content.ts';

const HEAD =
  '/*!40101 SET NAMES utf8mb4 */;\nCREATE TABLE `users` (\n  `id` int,\n  `email` text,\n  `note` text\n);\nCREATE TABLE plain (a text);\n';
const TAIL = '\n/*!40000 ALTER TABLE `users` ENABLE KEYS */;\nUNLOCK TABLES;\n-- Dump completed\n';
const BODIES = [
  "INSERT INTO `users` VALUES (1,'SECRET1','ok'),(2,'it\\'s SECRET',NULL),(3,'SECRET\\\\','(a, b)');\n",
  "INSERT INTO `users` (`id`, `email`, `note`) VALUES\n(1, 'SECRET1', 'ok');\nINSERT INTO `users` (`id`, `email`, `note`) VALUES\n(2, 'it''s SECRET', NULL);\n",
  "/*!40000 ALTER TABLE `users` DISABLE KEYS */;\nREPLACE INTO users VALUES (1,\"SECRET1\",''),(2,_utf8mb4'SECRET','x');\nINSERT INTO plain VALUES ('x');\n",
];
const FRAGMENTS =
  "'|''|\"|\\|\\\\|`|\t|\n|\r\n|;|;;|-- |--|#|/*|/*!|/*!50000 |/*M! |*/|(|)|,|x'|_latin1'|0x|@|NULL|DEFAULT|DELIMITER //\n|\\! x\n|source x\n|SET NAMES latin1;|SET @x = 1;|-- Host: |-- Server version |-- Table structure for table `users` |\n-- Dumping data for table `users`\n|INSERT INTO plain VALUES |INSERT INTO `users` VALUES |SELECT |BEGIN|ON DUPLICATE KEY UPDATE note = |x|1| |é".split(
    '|',
  );

it('a dump that is broken in some place gives no original value of a masked column: it is refused, or masked as it is read', async () => {
  const { signal } = new AbortController();
  const schema = await createMysqlContent().schema(piecesOf(Buffer.from(HEAD)), signal);
  const plans = plansFor(schema, { users: { rules: { email: rule('null') } } });
  const scripts = BODIES.map((body) => body + TAIL);
  await assertNothingLeaks({ head: HEAD, scripts, fragments: FRAGMENTS, masked });

  /** In this thread, so that thousands take a second. */
  async function masked(dump: Buffer, size: number): Promise<string> {
    const run = runOf(plans);
    const rewriting = new DumpRewriting(run);
    let text = '';
    const give = (part: ContentPart) => {
      if (part instanceof Uint8Array) {
        text += Buffer.from(part).toString();
        return;
      }
      const changed = [part.rows.columns.indexOf('email')];
      const mask = (values: (string | null)[]) => values.fill('masked', changed[0], (changed[0] ?? 0) + 1).length > 0;
      const values = { changed, needed: changed, mask };
      const table = new TableMasker({ columns: part.rows.columns, selection: undefined, values });
      const block = createMysqlInsertRows(part.rows, table).mask(Buffer.from(part.bytes), 0);
      countsOf(run, part.rows.table).rowsOut += block.rowsOut;
      text += Buffer.from(block.bytes).toString();
    };
    for await (const pieces of dumpPieces(piecesOf(dump, size), signal))
      for (const piece of pieces) for (const part of rewriting.piece(piece)) give(part);
    for (const part of rewriting.end()) give(part);
    return text;
  }
});
