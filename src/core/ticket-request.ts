import type { Principal } from './access.ts';
import type { Download, DownloadRequest } from './download.ts';
import type { Ticket } from './ticket.ts';

/** As for a download. That the newest one is not made yet is told when the ticket is used. */
export type TicketRequest = Omit<DownloadRequest, 'waitMilliseconds' | 'stale'>;

/** One-time leaves to download. */
export interface TicketManager {
  /**
   * A ticket for what the caller may download now.
   *
   * @returns the ticket; its secret, 32 random bytes in base64url, which is not kept; the download that it is for
   * @throws HoldfastError what `DownloadManager.find` throws; `tickets-not-offered` (unsupported); `variant-needed` (invalid) for raw that was not named,
   * `reason-needed` (denied) for raw without a reason; `ticket-limit-reached` (too-many) with `details.retryAfterSeconds`
   */
  create(request: TicketRequest, signal: AbortSignal): Promise<{ ticket: Ticket; secret: string; download: Download }>;
  /**
   * The ticket of a secret, used and expired ones as well. Changes nothing.
   * @throws TicketRefused where there is none
   */
  find(secret: string): Promise<Ticket>;
  /**
   * What a ticket gives now: whoever asked for it must still be known and may still have it, and it must be the same as then.
   * @throws TicketRefused where that is not so, or it was used, or has expired; HoldfastError for what may pass (`unavailable`)
   */
  redeem(ticket: Ticket, waitMilliseconds: number | undefined, signal: AbortSignal): Promise<RedeemableTicket>;
}

export interface RedeemableTicket {
  /** Who asked for it, as far as downloads are concerned. */
  principal: Principal;
  download: Download;
  /**
   * Looks at all once more, because making what is given may have taken minutes, and uses the ticket up. Of all who try, in whatever process, one succeeds.
   * @throws TicketRefused
   */
  take(): Promise<void>;
}
