import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * A process that commits numbered rows, each in two tables, and tells of each when it was begun and when it was committed, for as
 * long as somebody reads it. The pages of large transactions are written before their commit, so that it can die among them.
 *
 * node sqlite-timed-writer.ts FILE
 */
const [file = ''] = process.argv.slice(2);
const database = new DatabaseSync(file, { timeout: 120_000 });
database.exec('PRAGMA synchronous=OFF; PRAGMA cache_size=20');
const left = database.prepare('INSERT INTO numbered (n, payload) VALUES (?, ?)');
const right = database.prepare('INSERT INTO pairs (n) VALUES (?)');
const filler = database.prepare('UPDATE filler SET content = ? || substr(content, 10) WHERE id % 199 = ?');
const last = database.prepare('SELECT coalesce(max(n), 0) AS n FROM numbered').get();
process.on('disconnect', () => process.exit(0));
for (let n = Number(last?.n) + 1; ; n++) {
  database.exec('BEGIN IMMEDIATE');
  const begun = Date.now();
  left.run(n, `row ${n} ${'x'.repeat(n % 700)}`);
  if (n % 20 === 0) filler.run(`n${String(n).padStart(8, '0')}`, n % 199);
  right.run(n);
  database.exec('COMMIT');
  writeSync(1, `${JSON.stringify({ n, begun, at: Date.now() })}\n`);
  // At full speed the database would grow by a gigabyte a minute, and the test with it.
  await new Promise((resolve) => setTimeout(resolve, 2));
}
