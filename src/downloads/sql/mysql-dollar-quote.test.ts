import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../core/errors.ts';
import { SqlLexer } from './sql-lexer.ts';

function refusal(script: string, size: number): string | undefined {
  const lexer = new SqlLexer({ dialect: 'mysql' });
  const bytes = Buffer.from(script);
  try {
    for (let at = 0; at < bytes.length; at += size) [...lexer.push(bytes.subarray(at, at + size))];
    return undefined;
  } catch (error) {
    assert.ok(error instanceof HoldfastError && error.code === 'dump-not-sealable');
    return error.message;
  }
}

const READ_DIFFERENTLY = [
  "INSERT INTO t VALUES (1) $$ ' $$;\n\\! id\n';",
  "INSERT INTO t VALUES (1, NULL,$a$ ' $a$;",
  "INSERT INTO t VALUES ('a'$$ ' $$;",
  "SELECT a, $$ ' $$;",
  "SELECT @$é$ ' $é$;",
  // In Latin-1, © ends what a client of that character set takes for a name.
  "SELECT aé$$ ' $$;",
  "SELECT 1.$_9$ ' $_9$;",
  "SELECT $1$ ' $1$;",
  "SELECT /*!50003$$ ' $$*/;",
  "SELECT /* */$$ ' $$;",
  "SELECT `a`$$ ' $$;",
  'CREATE FUNCTION f() RETURNS int LANGUAGE JAVASCRIPT AS $$ return 1; $$;',
  'DELIMITER ;;\nCREATE FUNCTION f() RETURNS int LANGUAGE JAVASCRIPT AS $mle$ return 1; $mle$;;',
  "DELIMITER $$\nSELECT 1 $a$ ' $a$ $$",
  "DELIMITER $$$\nSELECT 1 $$ ' $$\n\\! id\n' $$$",
  "DELIMITER $$$$$\nSELECT 1 $$$ ' $$$$$",
];

const READ_ALIKE = [
  "INSERT INTO t VALUES ('$$ '' $$', \"$a$\", `$$`) /* $$ ' $$ */ -- $$ '\n;",
  'SELECT a$$, b$c$d, éa$$, _$$;',
  'SELECT $a, $b, $ 1 $, ($1), $c;',
  'DELIMITER $$\nSELECT 1$$\nSELECT a$b $$\nDELIMITER $\nSELECT 1 $\n',
  'DELIMITER $$$\nSELECT a$$ $$$\nSELECT 1$$$\n',
];

test('what clients of MySQL 9 take for a string between dollar signs is refused, wherever the stream is cut', () => {
  for (const size of [1, 2, 1000]) {
    for (const script of READ_DIFFERENTLY) assert.match(refusal(script, size) ?? '', /between dollar signs/, script);
    for (const script of READ_ALIKE) assert.equal(refusal(script, size), undefined, script);
  }
});
