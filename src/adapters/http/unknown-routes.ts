import { HoldfastError } from '../../core/errors.ts';
import type { HttpServer } from './http-server.ts';
import { withoutTickets } from './ticket-path.ts';

/** Answers 404 to unknown paths, and 405 with `Allow` to known paths that do not know the method. */
export function answerUnknownRoutes(server: HttpServer): void {
  const routes: { methods: readonly string[]; pattern: RegExp }[] = [];
  server.addHook('onRoute', ({ method, url }) => {
    routes.push({ methods: [method].flat(), pattern: patternOf(url) });
  });
  server.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '/';
    const shown = withoutTickets(path);
    const methods = [...new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap((route) => route.methods))];
    if (methods.length === 0) {
      const where = path.startsWith('/problems/') ? OF_PROBLEMS : 'The documentation at /docs lists what there is.';
      throw new HoldfastError(
        'not-found',
        'route-not-found',
        `There is nothing at ${request.method} ${shown}. ${where}`,
      );
    }
    reply.header('allow', methods.sort().join(', '));
    throw new HoldfastError(
      'invalid',
      'method-not-allowed',
      `${shown} does not know the method ${request.method}, only ${methods.join(', ')}.`,
    );
  });
}

/** Developers open what looks like a link. */
const OF_PROBLEMS =
  'The `type` of a problem names its sort and is no address (RFC 9457); `detail` of the answer that it came with says what happened and what to do.';

/** `/backups/:id/content` as an expression that matches paths. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part === '*') return '.*';
    return part.startsWith(':') ? '[^/]+' : RegExp.escape(part);
  });
  return new RegExp(`^${parts.join('/')}/?$`);
}
