import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { type JsonLimits, readJsonDocument } from '../../core/json-document.ts';
import { readJsonMembers } from '../../core/json-members.ts';
import { type JsonObject, setMember } from '../../core/json-value.ts';
import type { HttpServer } from './http-server.ts';
import { receivedBody } from './received-bytes.ts';
import { bodyMissing, validated } from './request-validation.ts';

/** Nesting of requests other than documents. */
const REQUEST_DEPTH = 32;

/**
 * Makes bodies of the routes of `server` strict JSON, up to each route's `bodyLimit`: no name twice, no other encoding.
 * Bodies without a media type and those of `curl -d` and `fetch` (form and plain text) are read as JSON too.
 */
export function readJsonBodies(server: HttpServer): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', async (request: FastifyRequest, payload: FastifyRequest['raw']) => {
    if (request.is404) return undefined;
    const bytes = await receivedJson(request, payload);
    if (bytes.length === 0) return undefined;
    return readJsonDocument(bytes, { limitBytes: bytes.length, depthLimit: REQUEST_DEPTH });
  });
}

/** Gives the routes of `server` their JSON bodies as bytes, for `splitDocument`. */
export function keepJsonBodies(server: HttpServer): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', receivedJson);
}

/** A body that holds a document: what is said about it, checked, and the document's own text, not looked into. */
export interface SplitDocument<Envelope> {
  envelope: Envelope;
  data: Uint8Array | undefined;
}

/**
 * Splits `{…, "data": DOCUMENT}` without parsing the document, which may be very large.
 * @throws HoldfastError `request-invalid`, `body-missing`, and what `readJsonMembers` throws
 */
export function splitDocument<Schema extends z.ZodType>(
  body: unknown,
  schema: Schema,
  limits: JsonLimits,
): SplitDocument<z.output<Schema>> {
  if (!Buffer.isBuffer(body) || body.length === 0) throw bodyMissing();
  const members = readJsonMembers(body, limits);
  const envelope: JsonObject = {};
  for (const [name, bytes] of members) {
    if (name !== 'data') setMember(envelope, name, readJsonDocument(bytes, { ...limits, depthLimit: REQUEST_DEPTH }));
  }
  return { envelope: validated(schema, envelope, 'body'), data: members.get('data') };
}

/** True for media types that carry JSON, and for the absence of one. */
export function isJsonMediaType(contentType: string | undefined): boolean {
  const mediaType = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return mediaType === 'application/json' || mediaType.endsWith('+json');
}

async function receivedJson(request: FastifyRequest, payload: FastifyRequest['raw']): Promise<Buffer> {
  const contentType = request.headers['content-type'];
  if (!isJsonMediaType(contentType) && !isCarelessMediaType(contentType)) {
    throw new HoldfastError(
      'unsupported',
      'media-type-unsupported',
      `Bodies of the media type ${contentType} are not read here. Send JSON with: Content-Type: application/json`,
    );
  }
  const bytes = await receivedBody(request.raw, payload, request.routeOptions.bodyLimit);
  if (request.routeOptions.config.idempotent === true) request.bodyBytes = bytes;
  return bytes;
}

/** What programs say when nobody told them what they send. */
function isCarelessMediaType(contentType: string | undefined): boolean {
  const mediaType = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return ['', 'application/x-www-form-urlencoded', 'text/plain'].includes(mediaType);
}
