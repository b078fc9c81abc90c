import { createHash, randomBytes } from 'node:crypto';
import type { Principal } from './access.ts';
import { DEFAULT_DOWNLOADS, type Download, type DownloadManager, RAW_VARIANT } from './download.ts';
import { type ErrorKind, HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import { type Ticket, type TicketOrder, TicketRefused } from './ticket.ts';
import { type TicketOwners, ticketOwner } from './ticket-owners.ts';
import type { RedeemableTicket, TicketManager, TicketRequest } from './ticket-request.ts';

const SECRET_BYTES = 32;
const SECRET = /^[A-Za-z0-9_-]{43}$/;
const MINUTE = 60_000;
/** No ticket lives longer, so that one hour of tickets is all that has to be kept to count them. */
export const TICKET_HOUR = 60 * MINUTE;
/** Of one caller. */
const MOST_OPEN = 50;
const MOST_IN_AN_HOUR = 500;

/** What says of a download that its ticket's owner may not have it, or that it is not there any more. */
const KINDS_OF_REFUSAL: ReadonlySet<ErrorKind> = new Set(['not-found', 'denied', 'invalid', 'unsupported']);

/** Keeps tickets in the catalogue; see `TicketManager` for what each method promises. */
export class CatalogueTicketManager implements TicketManager {
  readonly #context: ManagerContext;
  readonly #downloads: Pick<DownloadManager, 'find'>;
  readonly #owners: TicketOwners;

  constructor(context: ManagerContext, downloads: Pick<DownloadManager, 'find'>, owners: TicketOwners) {
    this.#context = context;
    this.#downloads = downloads;
    this.#owners = owners;
  }

  async create(
    request: TicketRequest,
    signal: AbortSignal,
  ): Promise<{ ticket: Ticket; secret: string; download: Download }> {
    const { ticketMinutes } = this.#context.configuration.downloads ?? DEFAULT_DOWNLOADS;
    if (ticketMinutes === 0) throw notOffered();
    const download = await this.#downloads.find(request, signal);
    requireWordAndReason(download, request);
    const owner = ticketOwner(request.principal);
    if ((await this.#owners.principalOf(owner)) === undefined) throw ownerGone(request.principal);
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const now = this.#context.clock.now();
    const ticket: Ticket = {
      id: this.#context.nextId('ticket'),
      hash: hashOf(secret),
      createdAt: now.toISOString(),
      expiresAt: new Date(now.getTime() + ticketMinutes * MINUTE).toISOString(),
      owner,
      order: orderOf(download, request),
      fingerprint: download.fingerprint,
    };
    const within = { open: MOST_OPEN, since: hourBefore(now), sinceThen: MOST_IN_AN_HOUR };
    const refused = await this.#context.catalogue.tickets.insert(ticket, within);
    if (refused !== undefined) throw limitReached(refused, now);
    return { ticket, secret, download };
  }

  async find(secret: string): Promise<Ticket> {
    const { ticketMinutes } = this.#context.configuration.downloads ?? DEFAULT_DOWNLOADS;
    if (ticketMinutes === 0 || !SECRET.test(secret)) throw new TicketRefused('unknown');
    const ticket = await this.#context.catalogue.tickets.get(hashOf(secret));
    if (ticket === undefined) throw new TicketRefused('unknown');
    return ticket;
  }

  async redeem(ticket: Ticket, waitMilliseconds: number | undefined, signal: AbortSignal): Promise<RedeemableTicket> {
    const { usedAt, expiresAt, hash } = ticket;
    if (usedAt !== undefined) throw new TicketRefused('used');
    if (expiresAt <= this.#now()) throw new TicketRefused('expired');
    const found = await this.#given(ticket, waitMilliseconds, signal);
    return {
      ...found,
      take: async () => {
        // Until there was something to give, minutes may have passed.
        await this.#given(ticket, waitMilliseconds, signal);
        signal.throwIfAborted();
        const now = this.#now();
        if (await this.#context.catalogue.tickets.take(hash, now)) return;
        throw new TicketRefused(expiresAt <= now ? 'expired' : 'used');
      },
    };
  }

  /** What the owner of a ticket may have for it at this moment. */
  async #given(
    { owner, order, fingerprint }: Ticket,
    waitMilliseconds: number | undefined,
    signal: AbortSignal,
  ): Promise<{ principal: Principal; download: Download }> {
    const principal = await this.#owners.principalOf(owner);
    if (principal === undefined) throw new TicketRefused('owner-gone');
    const waiting = waitMilliseconds === undefined ? {} : { waitMilliseconds };
    const download = await this.#stillGiven({ ...order, ...waiting, principal }, signal);
    if (download.fingerprint !== fingerprint) throw new TicketRefused('changed');
    return { principal, download };
  }

  async #stillGiven(request: Parameters<DownloadManager['find']>[0], signal: AbortSignal): Promise<Download> {
    try {
      return await this.#downloads.find(request, signal);
    } catch (error) {
      // What the owner is told of it is nothing for whoever holds the ticket.
      if (error instanceof HoldfastError && KINDS_OF_REFUSAL.has(error.kind))
        throw new TicketRefused('not-granted', error);
      throw error;
    }
  }

  #now(): string {
    return this.#context.clock.now().toISOString();
  }
}

/** Before this, no ticket is needed any more. @returns RFC 3339, UTC */
export function hourBefore(now: Date): string {
  return new Date(now.getTime() - TICKET_HOUR).toISOString();
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function orderOf({ snapshot, variant, format, mode, isSealed }: Download, request: TicketRequest): TicketOrder {
  const { tables, paths, database, reason } = request;
  return {
    ...{ resourceId: snapshot.resourceId, snapshotId: snapshot.id, variant, format, mode },
    seal: format === 'sql' && !isSealed ? 'none' : 'full',
    ...(tables === undefined ? {} : { tables }),
    ...(paths === undefined ? {} : { paths }),
    ...(database === undefined ? {} : { database }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** The data itself for whoever holds a line of text: that is said twice. */
function requireWordAndReason(
  { variant, snapshot }: Download,
  { variant: named, reason }: Pick<TicketRequest, 'variant' | 'reason'>,
): void {
  if (variant !== RAW_VARIANT) return;
  const { resourceId } = snapshot;
  if (named === undefined) {
    const message = `No masked copy of ${resourceId} is there for you. A ticket for the data itself is given to whoever names it: variant "${RAW_VARIANT}".`;
    throw new HoldfastError('invalid', 'variant-needed', message, { details: { available: [RAW_VARIANT] } });
  }
  if (reason !== undefined) return;
  const message = `A ticket for the data of ${resourceId} as it was backed up needs a reason, which is kept in the audit log: reason, or holdfast ticket --reason.`;
  throw new HoldfastError('denied', 'reason-needed', message, { details: { variant } });
}

function notOffered(): HoldfastError {
  const message = 'This service gives no tickets: downloads.tickets is off. Download with your own credentials.';
  return new HoldfastError('unsupported', 'tickets-not-offered', message);
}

function ownerGone({ name }: Principal): HoldfastError {
  const message = `The credentials of ${name} were taken back at this very moment.`;
  return new HoldfastError('denied', 'credentials-gone', message);
}

function limitReached({ limit, retryAt }: { limit: 'open' | 'sinceThen'; retryAt: string }, now: Date): HoldfastError {
  const which = limit === 'open' ? `${MOST_OPEN} that are not used yet` : `${MOST_IN_AN_HOUR} in an hour`;
  const retryAfterSeconds = Math.max(1, Math.ceil((Date.parse(retryAt) - now.getTime()) / 1000));
  const message = `You have as many tickets as one caller can have: ${which}. Use them, or wait until they expire.`;
  return new HoldfastError('too-many', 'ticket-limit-reached', message, {
    details: { limit: which, retryAfterSeconds },
  });
}
