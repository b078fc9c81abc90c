import pg from 'pg';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Connection } from '../postgresql/connection.ts';
import { queryFailure } from '../postgresql/session.ts';

/** What a failure on a replication connection, or of a command about slots, means and what to set. */
export function replicationFailure(error: unknown, connection: Connection): HoldfastError {
  const state = sqlStateOf(error);
  if (error instanceof HoldfastError && state === '') return error;
  const said = connection.withoutSecret(messageOf(error)).trim();
  const known = KNOWN.find(({ states, text }) => states.includes(state) && text.test(said));
  if (known === undefined) return queryFailure(error, connection, connection.database);
  const message = `${known.statement(connection.user, connection.place)} The server said: ${said}.`;
  return new HoldfastError(known.kind, known.code, message, { details: { sqlState: state } });
}

function sqlStateOf(error: unknown): string {
  if (error instanceof HoldfastError) return String(error.details.sqlState ?? '');
  return error instanceof pg.DatabaseError ? (error.code ?? '') : '';
}

export function connectionLost(connection: Connection, what: string): HoldfastError {
  return new HoldfastError(
    'unavailable',
    'postgresql-unreachable',
    `The replication connection to ${connection.place} was lost: ${what}. It is made again by itself; see whether the server runs.`,
  );
}

/** The server's WAL is not what was stored of it. */
export function divergedLog(what: string): HoldfastError {
  return new HoldfastError(
    'conflict',
    'wal-diverged',
    `${what}: the server was set back to an earlier state without a new timeline, or its disk lost writes. Nothing more is stored. Make a resource of its own for it, and a base backup. (A standby may only have to catch up: it is tried again by itself.)`,
  );
}

interface KnownFailure {
  states: readonly string[];
  text: RegExp;
  kind: HoldfastError['kind'];
  code: string;
  statement(user: string, place: string): string;
}

const KNOWN: readonly KnownFailure[] = [
  {
    states: ['58P01'],
    text: /has already been removed/,
    kind: 'not-found',
    code: 'wal-segment-removed',
    statement: (_user, place) => `${place} no longer has WAL that is asked for.`,
  },
  {
    states: ['55006'],
    text: /slot/,
    kind: 'conflict',
    code: 'replication-slot-in-use',
    statement: () =>
      'Another process uses the replication slot. It is tried again by itself; where that goes on, two captures share a slot: give one of them another name by `wal.slot`.',
  },
  {
    states: ['53400'],
    text: /slots/,
    kind: 'unavailable',
    code: 'replication-slots-exhausted',
    statement: () =>
      'All replication slots are taken. Raise max_replication_slots and restart the server, or drop a slot that nobody needs (pg_drop_replication_slot).',
  },
  {
    states: ['53300'],
    text: /standby|wal_senders/,
    kind: 'unavailable',
    code: 'wal-senders-exhausted',
    statement: () =>
      'All connections for replication are taken. Raise max_wal_senders (with wal_level = replica) and restart the server.',
  },
  {
    states: ['55000'],
    text: /wal_level/,
    kind: 'unsupported',
    code: 'wal-level-too-low',
    statement: () => 'The server writes too little WAL. Set wal_level = replica and restart the server.',
  },
  {
    states: ['42501'],
    text: /replication|wal ?sender|slots/i,
    kind: 'denied',
    code: 'replication-not-permitted',
    statement: (user) => `The role "${user}" may not replicate. Run: ALTER ROLE ${user} REPLICATION.`,
  },
  {
    states: ['28000'],
    text: /pg_hba\.conf/,
    kind: 'denied',
    code: 'replication-not-permitted',
    statement: (user) =>
      `The server lets "${user}" not replicate from here. Add to pg_hba.conf a line such as "hostssl replication ${user} ADDRESS scram-sha-256", then reload.`,
  },
];
