import { connect } from 'node:net';

/** Sends bytes as they are; gives all that comes back until the connection ends, and whether it was reset. */
export async function rawRequest(
  url: string,
  head: string,
  { endsAtOnce = false } = {},
): Promise<{ answer: Buffer; wasReset: boolean }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let wasReset = false;
  const pieces: Buffer[] = [];
  socket.on('error', (error: NodeJS.ErrnoException) => {
    wasReset = error.code === 'ECONNRESET';
  });
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.write(head);
  if (endsAtOnce) socket.destroySoon();
  await new Promise((resolve) => socket.once('close', resolve));
  return { answer: Buffer.concat(pieces), wasReset };
}

/** The body of an answer in `Transfer-Encoding: chunked`, as far as it came. */
export function dechunked(answer: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = answer.indexOf('\r\n\r\n') + 4; at < answer.length; ) {
    const begin = answer.indexOf('\r\n', at) + 2;
    const length = Number.parseInt(answer.toString('latin1', at, begin), 16);
    pieces.push(answer.subarray(begin, begin + length));
    at = begin + length + 2;
  }
  return Buffer.concat(pieces);
}
