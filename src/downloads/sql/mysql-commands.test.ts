import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseCommandLines } from './mysql-commands.ts';

test('a line that a client may take for its own command is refused in statements that begin with a comment', () => {
  const refused = (statement: string, delimiter = ';') => {
    try {
      refuseCommandLines(Buffer.from(statement), delimiter);
      return false;
    } catch {
      return true;
    }
  };
  const blanks = ' \t'.repeat(2000);
  for (const line of ['system id', `${blanks}SYSTEM id`, 'source /etc/passwd', 'use other', 'quit', '? x', 'status\t'])
    for (const between of ['\n', '\r\n', '\n\n'])
      assert.ok(refused(`/*!50003 DO 1 + ${between}${line}\n */;;`, ';;'), line);
  for (const statement of [
    '/*!50003 DO 1 + system */;',
    "/*!50003 DO 'a\nsystem id' */;",
    '/*!50003 SELECT\n status, a\n.source, systems */;',
    'CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = \nsystem id;',
  ])
    assert.ok(!refused(statement), statement);
});
