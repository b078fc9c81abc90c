import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * A process that commits numbered rows for as long as somebody reads what it says: after each commit, the number. With `crash`
 * it dies in the midst of a transaction whose pages have already reached the file.
 *
 * node sqlite-writer.ts FILE wal|delete [crash]
 */
const [file = '', mode = 'wal', crash] = process.argv.slice(2);
const database = new DatabaseSync(file, { timeout: 120_000 });
database.exec(`PRAGMA journal_mode=${mode}; PRAGMA synchronous=OFF`);
if (crash === 'crash') {
  database.exec("PRAGMA cache_size=1; BEGIN; UPDATE filler SET content = 'half of a transaction' || content");
  process.kill(process.pid, 'SIGKILL');
}
const left = database.prepare('INSERT INTO numbered (n, payload) VALUES (?, ?)');
const right = database.prepare('INSERT INTO pairs (n) VALUES (?)');
const last = database.prepare('SELECT coalesce(max(n), 0) AS n FROM numbered').get();
process.on('disconnect', () => process.exit(0));
for (let n = Number(last?.n) + 1; ; n++) {
  database.exec('BEGIN IMMEDIATE');
  left.run(n, `row ${n} ${'x'.repeat(n % 700)}`);
  right.run(n);
  database.exec('COMMIT');
  writeSync(1, `${n}\n`);
  // At full speed the database would grow by a gigabyte a minute, and the test with it.
  await new Promise((resolve) => setTimeout(resolve, 2));
}
