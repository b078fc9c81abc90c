import type { Principal } from './access.ts';
import type { DownloadMode } from './download-format.ts';
import { HoldfastError } from './errors.ts';
import type { DownloadChoice } from './ports/service-download.ts';

/** Leave to download one thing once, within minutes, for whoever holds its secret. The secret itself is kept nowhere. */
export interface Ticket {
  id: string;
  /** Hex SHA-256 of the secret. */
  hash: string;
  /** RFC 3339, UTC. */
  createdAt: string;
  expiresAt: string;
  /** When its download began to be given. */
  usedAt?: string;
  owner: TicketOwner;
  order: TicketOrder;
  /** Of the download as it was when it was asked for: a changed policy, or another version of Holdfast, makes another one. */
  fingerprint: string;
}

/** Who asked for a ticket, as far as it has to be known later. */
export interface TicketOwner {
  name: string;
  method: NonNullable<Principal['method']>;
  /** Of a token or a local user: another token of that name, or another password, is somebody else's. */
  credential?: string;
  /** As a directory, an issuer or a proxy named them when the ticket was asked for. */
  groups?: readonly string[];
}

/** What a ticket is for: all that was left open by who asked is settled. */
export interface TicketOrder extends DownloadChoice {
  resourceId: string;
  snapshotId: string;
  variant: string;
  mode: DownloadMode;
  seal: 'full' | 'none';
  reason?: string;
}

/** Why a ticket gives nothing; for the audit log, and nobody who holds one. */
export type TicketFault = 'unknown' | 'used' | 'expired' | 'owner-gone' | 'not-granted' | 'changed';

/** One answer for whatever is wrong with a ticket. */
export class TicketRefused extends HoldfastError {
  readonly fault: TicketFault;

  constructor(fault: TicketFault, cause?: unknown) {
    const message =
      'There is no such ticket. Each is good for one download, for some minutes, and only as long as what it is for may be given: ask for a new one.';
    super('not-found', 'ticket-not-found', message, cause === undefined ? {} : { cause });
    this.name = 'TicketRefused';
    this.fault = fault;
  }
}
