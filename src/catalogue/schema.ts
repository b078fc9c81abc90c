import type { Kysely } from 'kysely';

/**
 * The catalogue's tables, in column types that SQLite and PostgreSQL share: text, integers and JSON as text. `record` holds
 * the whole object; the other columns are there to find it.
 */
export interface CatalogueSchema {
  resources: { id: string; created_at: string; record: string };
  backups: {
    id: string;
    resource_id: string;
    resource_type: string;
    service: string;
    type: string;
    status: string;
    repository_id: string;
    parent_id: string | null;
    chain_length: number;
    size: number;
    stored_bytes: number;
    created_at: string;
    expires_at: string | null;
    record: string;
  };
  /** `created_at` is the backup's, so that what has a tag is found in the order of time. */
  backup_tags: { backup_id: string; name: string; value: string; created_at: string };
  operations: {
    id: string;
    kind: string;
    status: string;
    resource_id: string | null;
    owner: string | null;
    created_at: string;
    record: string;
  };
  drills: {
    id: string;
    resource_id: string;
    outcome: string;
    created_at: string;
    completed_at: string;
    backup_id: string;
    backup_created_at: string;
    recovery_milliseconds: number | null;
    record: string;
  };
  download_usage: { account: string; period: string; downloads: number; bytes: number };
  /** `hash` is the SHA-256 of the secret that opens one. */
  tickets: {
    hash: string;
    owner: string;
    created_at: string;
    expires_at: string;
    used_at: string | null;
    record: string;
  };
  documents: { collection: string; id: string; created_at: string; record: string };
  audit_events: {
    sequence: number;
    time: string;
    actor: string;
    action: string;
    subject: string | null;
    record: string;
    previous_hash: string;
    hash: string;
  };
  idempotency_keys: {
    key: string;
    fingerprint: string;
    created_at: string;
    status: number | null;
    body: string | null;
  };
}

/** Runs work in a transaction that no other writer, of whatever process, can interleave with. */
export type Exclusively = <Result>(work: (database: Kysely<CatalogueSchema>) => Promise<Result>) => Promise<Result>;
