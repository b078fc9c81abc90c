import type { HttpServer } from './http-server.ts';

/** JSON that is written out ends with a line break, so that the prompt of a shell is not glued to it. What is streamed ends as it does. */
export function endJsonWithLine(server: HttpServer): void {
  server.addHook('onSend', async (_request, reply, payload) => {
    if (typeof payload !== 'string' || payload === '' || payload.endsWith('\n')) return payload;
    return JSON_TYPE.test(String(reply.getHeader('content-type'))) ? `${payload}\n` : payload;
  });
}

const JSON_TYPE = /^application\/(problem\+)?json\b/;
