import { z } from 'zod';

/** What goes to a terminal and into command lines must be what it seems; all else is shown as JSON alone. */
const schema = z.looseObject({
  url: z.string().regex(/^https?:\/\/[\x21-\x7e]+$/),
  variant: z.string(),
  backupCreatedAt: z.string(),
  expiresAt: z.iso.datetime(),
});

export type GivenTicket = z.infer<typeof schema>;

/** @param answer of a server that may be any @returns undefined where it is none of a service's */
export function givenTicket(answer: unknown): GivenTicket | undefined {
  return schema.safeParse(answer).data;
}
