import { trustedAuthorities } from '../../process/trusted-authorities.ts';

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: URL;
  headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: unknown;
  /** PEM file of authorities that are trusted beside the usual ones. */
  caFile?: string | undefined;
  timeoutMilliseconds: number;
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  /** Parsed; undefined where it was no JSON. */
  body: unknown;
}

const LARGEST_ANSWER = 32 * 1024 * 1024;

/**
 * Asks a server of JSON one question. TLS is verified always; redirections are not followed, since they would carry the credentials
 * to wherever they point.
 * @throws Error of the system where there is no whole answer; its message holds no header and no body
 */
export async function askJson(request: HttpRequest): Promise<HttpAnswer> {
  const { url, signal, timeoutMilliseconds } = request;
  const ca = request.caFile === undefined ? {} : { ca: await trustedAuthorities(request.caFile) };
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const time = AbortSignal.timeout(timeoutMilliseconds);
  const headers = {
    accept: 'application/json',
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    ...request.headers,
  };
  // Loaded late, because they bring half of Node.js with them and few commands ask anybody.
  const { request: send } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  try {
    return await new Promise<HttpAnswer>((resolve, reject) => {
      // Said in so many words, because an environment variable of Node.js turns the verification off for a whole process.
      const options = { method: request.method, headers, agent: false, rejectUnauthorized: true, ...ca };
      const sent = send(url, { ...options, signal: AbortSignal.any([signal, time]) }, (response) => {
        const pieces: Buffer[] = [];
        let length = 0;
        response.on('data', (piece: Buffer) => {
          length += piece.length;
          pieces.push(piece);
          if (length > LARGEST_ANSWER)
            response.destroy(new Error(`The answer is larger than ${LARGEST_ANSWER} bytes.`));
        });
        response.on('end', () => {
          if (!response.complete) return;
          resolve({ status: response.statusCode ?? 0, body: jsonOf(Buffer.concat(pieces).toString()) });
        });
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  } catch (error) {
    signal.throwIfAborted();
    if (time.aborted) throw new Error(`There was no answer within ${timeoutMilliseconds / 1000} s.`, { cause: error });
    throw error;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
