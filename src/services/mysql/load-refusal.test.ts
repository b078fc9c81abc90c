import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokenConstraint, complaintOf, duplicateKey, loadRefusal } from './load-refusal.ts';

const MARIADB = { product: 'MariaDB', version: '10.11.6' } as const;
const MYSQL = { product: 'MySQL', version: '8.0.36' } as const;

function told(stderr: string, dumped: typeof MARIADB | typeof MYSQL = MARIADB): string {
  const complaint = complaintOf(stderr);
  const broken = complaint && brokenConstraint(complaint);
  const { code, message, details } = loadRefusal(complaint, { server: MARIADB, dumped }, broken);
  assert.doesNotMatch(message + JSON.stringify(details), /secret/);
  return `${code}: ${message}`;
}

describe('what a client of MySQL complains of', () => {
  it('is told by the names in it, whatever the product', () => {
    const complaints = [
      [
        'ERROR 4025 (23000) at line 7: CONSTRAINT `total` failed for `variant`.`orders`',
        'constraint total of orders does',
      ],
      [
        'ERROR 4025 (23000) at line 7: CONSTRAINT `orders.total` failed for `variant`.`orders`',
        'constraint total of orders',
      ],
      [
        "ERROR 3819 (HY000) at line 7: Check constraint 'orders_chk_1' is violated.",
        'constraint orders_chk_1 does not',
      ],
      ["ERROR 1048 (23000) at line 7: Column 'email' cannot be null", 'column email is NULL'],
      [
        'ERROR 1452 (23000) at line 7: Cannot add or update a child row: a foreign key constraint fails (`variant`.`orders`, CONSTRAINT `of_user` FOREIGN KEY (`a`) REFERENCES `users` (`id`))',
        'constraint of_user of orders does not hold',
      ],
    ] as const;
    for (const [stderr, words] of complaints) {
      const message = told(`mysql: [Warning] something.\n${stderr}\n`);
      assert.ok(message.startsWith('variant-not-loadable') && message.includes(words), message);
    }
  });

  it('is told by its class and number where it quotes a value', () => {
    const wrong = told(
      "ERROR 1366 (22007) at line 7: Incorrect integer value: 'secret' for column `variant`.`t`.`a` at row 1\n",
    );
    assert.match(wrong, /a value is not one of its column’s type \(1366\)/);
    const twice =
      "ERROR 1062 (23000) at line 7: Duplicate entry 'secret\nERROR 1 (23000): for key 'x'' for key 't.only'\n";
    assert.match(told(twice), /a constraint does not hold \(1062\)/);
    assert.equal(duplicateKey(complaintOf(twice)!), 't.only');
  });

  it('is the fault of the machine where the server is gone, full, or another one than the dump wants', () => {
    assert.match(told(''), /^variant-load-failed: /);
    assert.match(
      told('ERROR 2013 (HY000) at line 7: Lost connection to server during query\n'),
      /^variant-load-failed: /,
    );
    assert.match(told("ERROR 1114 (HY000) at line 7: The table 'secret' is full\n"), /^variant-load-failed: .*no room/);
    assert.match(
      told("ERROR 1273 (HY000) at line 7: Unknown collation: 'secret'\n"),
      /^variant-verifier-missing: .*lacks/,
    );
    const outside = told("ERROR 1045 (28000) at line 7: Access denied for user 'loader'@'localhost'\n");
    assert.match(
      outside,
      /^variant-verifier-missing: .*more than what is within one database \(1045\).*DATA DIRECTORY/,
    );
    const other = told('ERROR 1064 (42000) at line 7: You have an error near secret\n', MYSQL);
    assert.match(other, /^variant-verifier-missing: .*of MySQL 8\.0\.36, and was given to MariaDB 10\.11\.6/);
    const check = told('ERROR 4025 (23000) at line 7: CONSTRAINT `total` failed for `variant`.`orders`\n', MYSQL);
    assert.match(check, /^variant-not-loadable: .*Its dump is of MySQL 8\.0\.36, and was given to MariaDB/);
  });
});
