import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseCommandLines } from './mysql-commands.ts';

test('a line that a client may take for its own command is refused in statements that begin with a comment', () => {
  const refused = (statement: string, delimiter = ';') => {
    try {
      refuseCommandLines(Buffer.from(statement, 'latin1'), delimiter);
      return false;
    } catch {
      return true;
    }
  };
  const blanks = ' \t'.repeat(2000);
  for (const line of [
    'system id',
    `${blanks}SYSTEM id`,
    'source /etc/passwd',
    'use other',
    'quit',
    '? x',
    'status\t',
    'exit  \r',
  ])
    for (const between of ['\n', '\r\n', '\n\n'])
      assert.ok(refused(`/*!50003 DO 1 + ${between}${line}\n */;;`, ';;'), line);
  // Clients compare bytes as Latin-1, without accents.
  for (const line of [
    'syst\xe9m id',
    'S\xdcSTEM id',
    's\xf6urce x',
    '\xa0system id',
    '\xa0 system id',
    'st\xe0t\xfb\xdf',
  ])
    assert.ok(refused(`/*!50003 DO 1 + \n${line}\n */;`), line);
  for (const statement of [
    `/*!50003 SELECT \n${Buffer.from('systém').toString('latin1')} id */;`,
    '/*!50003 DO 1 + system */;',
    "/*!50003 DO 'a\nsystem id' */;",
    '/*!50003 SELECT\n status, a\n.source, systems */;',
    "/*!50003 CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW UPDATE o SET \n  status = 'paid', \n  print = 1 */;",
    'CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = \nsystem id;',
  ])
    assert.ok(!refused(statement), statement);
});
