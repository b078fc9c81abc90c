import { assertDocumented } from './api-documented-answers.ts';

/** `body` is what came, as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: answers are what is under test.
export type Answer = { status: number; headers: Headers; body: any };

/**
 * Calls the API and compares the answer with what its description says of it.
 * @param body a text as it is, anything else as JSON
 */
export async function documentedCall(
  url: string,
  method: string,
  route: string,
  { body, headers }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const given = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await fetch(`${url}${route}`, { method, ...given, headers: { ...type, ...headers } });
  const received = await answer.text();
  const parsed = received === '' ? undefined : JSON.parse(received);
  assertDocumented(method, route, answer.status, parsed);
  return { status: answer.status, headers: answer.headers, body: parsed };
}
