import { BYTE } from './sql-bytes.ts';
import { SqlScanner } from './sql-scanner.ts';
import { isVariableStart } from './variable-mark.ts';

const SPACE = Buffer.from(' ');

/**
 * The same statement to the server, in which psql finds no variables: a space follows each colon that would begin one. With what psql puts
 * in its place the server can read another statement than psql did, one with a COMMIT in it: an empty variable makes a comment of `/:empty*`.
 */
export function withoutVariables(statement: Buffer): Buffer {
  const parts: Buffer[] = [];
  let given = 0;
  let colon = -2;
  const scanner = new SqlScanner('postgresql', ';', ({ start, end }) => {
    if (statement[start] !== BYTE.colon) return;
    const isCast = start === colon + 1;
    colon = isCast ? -2 : start;
    if (isCast || !isVariableStart(statement[end] ?? 0)) return;
    parts.push(statement.subarray(given, end), SPACE);
    given = end;
  });
  for (let at = 0; at < statement.length; ) at = scanner.scan(statement, at);
  return Buffer.concat([...parts, statement.subarray(given)]);
}
