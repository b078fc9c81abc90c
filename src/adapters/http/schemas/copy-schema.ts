import { z } from 'zod';

export const copySchema = z
  .object({
    id: z.string(),
    location: z.string(),
    state: z
      .enum(['reachable', 'missing', 'unreachable'])
      .describe('`missing`: nothing was made there yet, or its disk is not there.'),
    problem: z.string().optional(),
    backups: z.number().optional(),
    behind: z.number().optional().describe("How many of the repository's backups it lacks."),
    bytes: z.number().optional(),
  })
  .meta({ id: 'Copy' });

export const syncRequest = z.strictObject({
  allowForgetMost: z
    .boolean()
    .default(false)
    .describe("Forget in the copy what the repository forgot, even if that is most of the copy's backups."),
});
