/** Below this path lies what tickets give, each under its secret. */
export const TICKET_PATH = '/t/';

/** The path of a ticket's download. It opens it, so it must not get into any log, error or audit event. */
export function ticketPath(secret: string): string {
  return `${TICKET_PATH}${secret}`;
}

/** A text, such as a path that was asked for, without the secrets of tickets in it. */
export function withoutTickets(text: string): string {
  return text.replaceAll(/(?<![A-Za-z0-9_-])\/t\/+[^\s?#'"]+/g, `${TICKET_PATH}…`);
}
