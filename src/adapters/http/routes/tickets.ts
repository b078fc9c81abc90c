import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DEFAULT_DOWNLOADS, type Download } from '../../../core/download.ts';
import { type Ticket, TicketRefused } from '../../../core/ticket.ts';
import type { TicketRequest } from '../../../core/ticket-request.ts';
import { askedDownload } from '../asked-download.ts';
import { answerDownload, answerDownloadHead } from '../download-answer.ts';
import { factsOfDownload } from '../download-facts.ts';
import type { DownloadMetrics } from '../download-metrics.ts';
import { clientGone, downloadRefusal, outcomeOf, withFormats } from '../download-refusal.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { preferredWait } from '../preference.ts';
import { answers, bytesAnswer } from '../route-schemas.ts';
import { type TicketAnswer, ticketRequest, ticketSchema } from '../schemas/ticket-schema.ts';
import { downloadAddress, downloadCommand } from '../snapshot-answer.ts';
import { TICKET_PATH, ticketPath } from '../ticket-path.ts';

const TAGS = ['Downloads'];

/** Downloads for whoever holds a line of text, once. */
export function ticketRoutes(server: HttpServer, context: HttpContext, metrics: DownloadMetrics): void {
  creation(server, context);
  redemption(server, context, metrics);
}

function creation(server: HttpServer, { application, configuration }: HttpContext): void {
  const { publicUrl } = configuration.downloads ?? DEFAULT_DOWNLOADS;
  server.post(
    '/tickets',
    {
      config: { role: 'developer', audit: 'ticket.create' },
      schema: {
        tags: TAGS,
        summary: 'Create a ticket',
        description:
          'A URL that gives one download of just what you may have now, once, within minutes (`downloads.tickets`), to whoever holds it: for a browser or a job that is to have no password and no token. The snapshot, the variant and its policy, the format and all parameters are settled here. `Idempotency-Key` has no effect, because it would mean keeping the ticket.',
        body: ticketRequest,
        response: answers({ 201: ticketSchema }),
      },
    },
    async (request, reply) => {
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const { reason, resource, variant } = request.body;
      const asked = { ...(resource === undefined ? {} : { resource }), ...(variant === undefined ? {} : { variant }) };
      request.auditDetails = { ...asked, ...(reason === undefined ? {} : { reason }) };
      const created = await application.tickets.create(requestOf(request), gone.signal);
      const { ticket, secret, download } = created;
      request.auditSubject = ticket.id;
      const { expiresAt, order } = ticket;
      const { tables, paths, database } = order;
      request.auditDetails = {
        ...request.auditDetails,
        ...factsOfDownload(download),
        ...(tables && { tables }),
        ...(paths && { paths }),
        ...(database && { database }),
        expiresAt,
      };
      return reply.code(201).send(ticketAnswer(ticket, secret, download, downloadAddress(request, publicUrl)));
    },
  );
}

function redemption(server: HttpServer, context: HttpContext, metrics: DownloadMetrics): void {
  const errorHandler = downloadRefusal(context.application, (problem) => metrics.refused(outcomeOf(problem)));
  const content = z.string().meta({ format: 'binary' });
  const schema = { params: z.strictObject({ ticket: z.string() }), querystring: z.strictObject({}) };
  const path = `${TICKET_PATH}:ticket`;

  const answer = async (
    request: FastifyRequest<{ Params: { ticket: string } }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> => {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    let download: Download | undefined;
    try {
      const redeemed = await redeemedTicket(request, reply, context, gone.signal);
      download = redeemed.download;
      const parts = { context, metrics, download, request, reply, gone, take: redeemed.take };
      return await (request.method === 'HEAD' ? answerDownloadHead(parts) : answerDownload(parts));
    } catch (error) {
      if (reply.raw.destroyed) throw clientGone(error);
      if (error instanceof TicketRefused) request.auditDetails = { ...request.auditDetails, fault: error.fault };
      throw download === undefined || error instanceof TicketRefused ? error : withFormats(error, download);
    }
  };

  server.get(
    path,
    {
      config: { role: 'anyone', audit: 'download.get' },
      exposeHeadRoute: false,
      errorHandler,
      schema: {
        ...schema,
        tags: TAGS,
        summary: 'Download by a ticket',
        description:
          'What `POST /tickets` was asked for, without any credentials. The first answer that gives content uses the ticket up, the whole content or a range of it; `HEAD`, 304 and errors do not. Whoever asked for the ticket must still be allowed to have it; it counts as their download. A ticket that is unknown, used, expired or good no more is 404, whichever it is. Who was cut off asks for another ticket of the same, and goes on there with `Range`. Errors are as those of `GET /download`.',
        response: answers({
          200: bytesAnswer('The content.', 'application/octet-stream', content),
          206: bytesAnswer('The range that was asked for.', 'application/octet-stream', content),
        }),
      },
    },
    answer,
  );
  server.head(path, { config: { role: 'anyone' }, errorHandler, schema: { ...schema, hide: true } }, answer);
}

/** From here on the request is its owner's, whatever credentials it carried. */
async function redeemedTicket(
  request: FastifyRequest<{ Params: { ticket: string } }>,
  reply: FastifyReply,
  { application: { tickets } }: HttpContext,
  signal: AbortSignal,
) {
  const wait = preferredWait(request, reply);
  const ticket = await tickets.find(request.params.ticket);
  const { id, owner, order } = ticket;
  const { reason } = order;
  request.auditDetails = {
    ...{ method: 'ticket', ticket: id, givenBy: owner.name, resource: order.resourceId, variant: order.variant },
    ...(reason === undefined ? {} : { reason }),
  };
  const redeemed = await tickets.redeem(ticket, wait === 0 ? undefined : wait, signal);
  const { principal, download } = redeemed;
  request.principal = principal;
  request.isKnown = true;
  request.isByTicket = true;
  request.auditSubject = download.snapshot.id;
  request.auditDetails = { ...request.auditDetails, ...factsOfDownload(download) };
  return redeemed;
}

function requestOf({ principal, body }: FastifyRequest<{ Body: z.infer<typeof ticketRequest> }>): TicketRequest {
  const { resource } = body;
  const reason = body.reason?.trim() || undefined;
  return {
    principal,
    ...(resource === undefined ? {} : { resourceId: resource }),
    ...(reason === undefined ? {} : { reason }),
    ...askedDownload(body),
  };
}

function ticketAnswer(
  { id, createdAt, expiresAt, order }: Ticket,
  secret: string,
  { snapshot }: Download,
  address: string,
): TicketAnswer {
  const { resourceId, snapshotId, variant, format, mode, seal, tables, database, paths } = order;
  const path = ticketPath(secret);
  const url = `${address}${path}`;
  const { dialect } = snapshot;
  // Without a seal a database would keep the part of a download that was cut.
  const piped = seal === 'none' ? undefined : format;
  return {
    ...{ id, url, path, createdAt, expiresAt },
    command: downloadCommand(url, { format: piped, ...(dialect === undefined ? {} : { dialect }) }, undefined),
    ...{ resource: resourceId, backup: snapshotId, backupCreatedAt: snapshot.createdAt },
    ...{ variant, format, mode, seal },
    ...(tables === undefined ? {} : { tables: [...tables] }),
    ...(database === undefined ? {} : { database }),
    ...(paths === undefined ? {} : { paths: [...paths] }),
  };
}
