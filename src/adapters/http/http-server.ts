import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Principal, Role } from '../../core/access.ts';

/** The Fastify instance that route groups add their routes to. */
export type HttpServer = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Says everything about who may call a route and what the door does with it; every route must carry `role`. */
export interface RouteRules {
  /** The least role that may call; `anyone` needs no credentials. */
  role?: Role | 'anyone';
  /** True where the route touches more than single resources: principals confined to some resources are refused. */
  unconfined?: boolean;
  /** The name under which each call goes to the audit log; routes that change something or give content have one. */
  audit?: string;
  /** Honours `Idempotency-Key`. */
  idempotent?: boolean;
  /** Takes one of the places for transfers; `large` only where the body is large or of unknown length. */
  transfer?: 'always' | 'large';
}

declare module 'fastify' {
  interface FastifyContextConfig extends RouteRules {}

  interface FastifyRequest {
    /** Who calls, as the door established it; for routes open to `anyone` it may be an unknown caller. */
    principal: Principal;
    /** False for callers of open routes who showed no credentials though there are some. */
    isKnown: boolean;
    /** A ticket was shown, and what is asked for is its owner's; who shows it nobody knows. */
    isByTicket: boolean;
    /** The name that was shown with credentials, right or wrong; for the audit log. */
    shownName: string | undefined;
    /** What the call acted on, for the audit log; default: the path's `id`. */
    auditSubject: string | undefined;
    /** Facts about the call for the audit log. */
    auditDetails: Record<string, unknown> | undefined;
    /** The body as it came, of routes that honour `Idempotency-Key`. */
    bodyBytes: Buffer | undefined;
  }
}
