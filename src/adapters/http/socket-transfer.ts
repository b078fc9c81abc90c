import type { Server, ServerResponse } from 'node:http';
import { giveBack } from '../../core/given-back.ts';

/** How long a client that was told why a download failed has to read it before its connection is reset. */
const PATIENCE_MILLISECONDS = 300;

export interface TransferOptions {
  /** Whose response it is. */
  server: Server;
  /** Bytes that were announced; anything else is a failure. */
  length?: number;
  /** Until a client that takes nothing is given up. */
  idleMilliseconds: number;
  /** True where the content tells its reader of a failure itself, which then should arrive. */
  tellsFailure: boolean;
  /** Told of bytes as they are handed on. */
  onBytes(bytes: number): void;
}

export interface TransferEnd {
  /** `aborted`: by the client. */
  outcome: 'complete' | 'aborted' | 'failed';
  /** Bytes of the body, as they were handed to the system. */
  bytes: number;
  /** What failed, or why the client was given up. */
  error?: unknown;
}

/**
 * Writes a body to a response whose head was written. Not by a stream: at hundreds of MB/s each layer counts. A body that does not come
 * to its end is never ended: the connection is reset, because a mere close looks like a proper end to an HTTP/1.0 client and through
 * many a proxy. Pieces are given back (`giveBack`) when they were written, except for the last few.
 */
export async function transferBody(
  pieces: AsyncIterable<Uint8Array>,
  response: ServerResponse,
  options: TransferOptions,
): Promise<TransferEnd> {
  const { length } = options;
  let bytes = 0;
  const leave = entered(response, options.server);
  const written: Uint8Array[] = [];
  try {
    for await (const piece of pieces) {
      if (response.destroyed) throw new ClientGone('it closed the connection');
      if (length !== undefined && bytes + piece.length > length) throw lengthDiffers(length);
      bytes += piece.length;
      options.onBytes(piece.length);
      written.push(piece);
      if (!response.write(piece)) await drained(response, options.idleMilliseconds);
      // Nothing waits any more: the system has a copy of all. Of a connection that was destroyed that is not known.
      if (response.writableLength === 0 && !response.destroyed) for (const each of written.splice(0)) giveBack(each);
    }
    if (length !== undefined && bytes !== length) throw lengthDiffers(length);
    await ended(response, options.idleMilliseconds);
    return { outcome: 'complete', bytes };
  } catch (error) {
    // What is read for a client fails when it goes, because all of that is ended then.
    const hasGone = error instanceof ClientGone || response.destroyed;
    if (options.tellsFailure && !hasGone) await read(response, options.idleMilliseconds);
    breakConnection(response);
    return { outcome: hasGone ? 'aborted' : 'failed', bytes, error };
  } finally {
    leave();
  }
}

/** Breaks all transfers of a server that are under way. */
export function resetTransfers(server: Server): void {
  for (const response of underWay.get(server) ?? []) breakConnection(response);
}

const underWay = new WeakMap<Server, Set<ServerResponse>>();

function entered(response: ServerResponse, server: Server): () => void {
  const responses = underWay.get(server) ?? new Set();
  underWay.set(server, responses.add(response));
  return () => responses.delete(response);
}

/** Ends a connection such that nobody takes what was sent for the whole. */
export function breakConnection(response: ServerResponse): void {
  const { socket } = response;
  if (socket === null || socket.destroyed) response.destroy();
  else socket.resetAndDestroy();
}

/** The client closed the connection or takes nothing. */
class ClientGone extends Error {
  constructor(how: string) {
    super(`The client has gone: ${how}.`);
    this.name = 'ClientGone';
  }
}

/** Until there is room for more. @throws ClientGone */
function drained(response: ServerResponse, idleMilliseconds: number): Promise<void> {
  return awaited(response, 'drain', idleMilliseconds);
}

function ended(response: ServerResponse, idleMilliseconds: number): Promise<void> {
  if (response.destroyed) throw new ClientGone('it closed the connection');
  const finished = awaited(response, 'finish', idleMilliseconds);
  response.end();
  return finished;
}

/** Waits for an event; time passes only while the client takes nothing. */
function awaited(response: ServerResponse, event: 'drain' | 'finish', idleMilliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const { socket } = response;
    let left = socket?.writableLength;
    const settle = (work: () => void): void => {
      clearInterval(timer);
      response.off(event, onEvent).off('close', onClose);
      work();
    };
    const onEvent = (): void => settle(resolve);
    const onClose = (): void => settle(() => reject(new ClientGone('it closed the connection')));
    const timer = setInterval(() => {
      const now = socket?.writableLength;
      if (now === left) settle(() => reject(new ClientGone('it takes nothing more')));
      left = now;
    }, idleMilliseconds);
    response.once(event, onEvent).once('close', onClose);
  });
}

/** Gives the client the chance to read all that was written: what it has not fetched is lost with a reset. */
async function read(response: ServerResponse, idleMilliseconds: number): Promise<void> {
  try {
    if (response.writableNeedDrain) await drained(response, idleMilliseconds);
  } catch (error) {
    if (error instanceof ClientGone) return;
    throw error;
  }
  if (response.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MILLISECONDS);
    response.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function lengthDiffers(length: number): Error {
  return new Error(`The content has another length than the ${length} bytes that were announced.`);
}
