import type { FastifySchema } from 'fastify';
import type { z } from 'zod';

type Answers = Readonly<
  Record<number, z.ZodType | { description: string; content: Record<string, { schema: z.ZodType }> }>
>;

/**
 * Answers of a route for the documentation. They are typed as unknown, because what handlers send comes from the core's own
 * types, and is written as it is: the tests compare real answers with the documented schemas.
 */
export function answers(answersByStatus: Answers): FastifySchema['response'] {
  return answersByStatus;
}

/** An answer that is not JSON. */
export function bytesAnswer(description: string, mediaType: string, schema: z.ZodType) {
  return { description, content: { [mediaType]: { schema } } };
}
