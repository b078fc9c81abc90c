import pg from 'pg';
import { z } from 'zod';
import {
  assertionFields,
  EXPECTS_NOTHING,
  expectationFields,
  expectsSomething,
  judgeValue,
  parseAssertionList,
} from '../../core/assertion.ts';
import type { Assertion } from '../../core/drill.ts';
import { messageOf } from '../../core/errors.ts';
import type { DrillFinding } from '../../core/ports/service-drill.ts';
import type { Connection } from './connection.ts';
import { connect } from './session.ts';

const schema = z
  .strictObject({
    ...assertionFields,
    /** One query that gives one row of one column. */
    sql: z.string().min(1).max(20_000),
    /** Where the backup holds several databases: which one. */
    database: z.string().min(1).max(63).optional(),
    ...expectationFields,
  })
  .refine(expectsSomething, EXPECTS_NOTHING);

export type PostgresqlAssertion = z.infer<typeof schema>;

/** @throws HoldfastError `assertions-invalid` (invalid) naming the field */
export function parsePostgresqlAssertions(assertions: readonly unknown[]): readonly Assertion[] {
  return parseAssertionList(schema, assertions);
}

/** Types whose values JSON has: boolean, small integers, floats, JSON. All others are compared as the server writes them. */
const OWN_TYPES: ReadonlySet<number> = new Set([16, 21, 23, 700, 701, 114, 3802]);

/**
 * Asks one question in a transaction that can only read, as a role that can do nothing else.
 * @param connection of a role without rights but to read
 */
export async function judgeQuery(
  { sql, timeoutSeconds, ...expectation }: PostgresqlAssertion,
  connection: Connection,
  database: string,
  signal: AbortSignal,
): Promise<DrillFinding> {
  signal.throwIfAborted();
  const client = new pg.Client({
    ...(await connection.clientOptions(database)),
    types: {
      getTypeParser: ((oid: number) =>
        OWN_TYPES.has(oid) ? pg.types.getTypeParser(oid) : (text: string) => text) as typeof pg.types.getTypeParser,
    },
  });
  client.on('error', () => undefined);
  const end = () => void client.end().catch(() => undefined);
  try {
    await connect(client, signal);
    signal.addEventListener('abort', end, { once: true });
    await client.query('BEGIN TRANSACTION READ ONLY');
    await client.query(`SET LOCAL statement_timeout = ${timeoutSeconds * 1000}`);
    // The extended protocol takes one statement and no more, so none can end the transaction first.
    const { rows, fields } = await client.query({
      text: sql,
      rowMode: 'array',
      queryMode: 'extended',
      rows: 2,
    } as pg.QueryArrayConfig);
    if (fields.length !== 1) return noValue(`${fields.length} columns`);
    if (rows.length !== 1) return noValue(rows.length === 0 ? 'no row' : 'more than one row');
    return judgeValue((rows[0] as unknown[])[0], expectation);
  } catch (error) {
    signal.throwIfAborted();
    const isTooLong = error instanceof pg.DatabaseError && error.code === '57014';
    return isTooLong ? noValue(`no answer within ${timeoutSeconds} seconds`) : noValue(messageOf(error));
  } finally {
    signal.removeEventListener('abort', end);
    await client.end().catch(() => undefined);
  }
}

function noValue(what: string): DrillFinding {
  return { outcome: 'failed', found: `no single value: ${what}` };
}
