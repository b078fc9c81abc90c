import { type Agent, request } from 'node:http';

export interface Answer {
  status: number;
  body: Buffer;
  /** From the first byte sent to the last one received. */
  milliseconds: number;
}

/** One request and its whole answer. */
export function exchange(agent: Agent, method: string, url: string, body?: string | Buffer): Promise<Answer> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const outgoing = request(url, { agent, method, headers }, (incoming) => {
      const pieces: Buffer[] = [];
      incoming.on('data', (piece: Buffer) => pieces.push(piece));
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          body: Buffer.concat(pieces),
          milliseconds: performance.now() - began,
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** @throws Error with the beginning of the answer where the status is not 2xx */
export async function exchangeSuccessfully(
  agent: Agent,
  method: string,
  url: string,
  body?: string | Buffer,
): Promise<Answer> {
  const answer = await exchange(agent, method, url, body);
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw new Error(`${method} ${url} was answered ${answer.status}: ${answer.body.toString('utf8', 0, 1000)}`);
}
