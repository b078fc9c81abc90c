import { z } from 'zod';

const captureSchema = z.object({
  status: z.enum(['running', 'waiting']).describe('`waiting`: it failed and is begun again after a pause.'),
  since: z.string(),
  failures: z.number().describe('How often it failed since it last told that all is well.'),
  lastError: z.object({ code: z.string(), message: z.string(), at: z.string() }).optional(),
  progress: z
    .object({
      position: z.string().describe('How far the log is stored.'),
      sourcePosition: z.string().optional(),
      lagBytes: z.number().optional().describe('What the source has written and the repository does not hold yet.'),
      details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
      at: z.string(),
    })
    .optional(),
  warnings: z.array(z.object({ message: z.string(), at: z.string() })).describe('The newest last.'),
});

export const resourceLogSchema = z
  .object({
    resourceId: z.string(),
    kept: z.boolean().describe("Whether the resource's configuration asks for its log to be kept."),
    pieces: z.number(),
    bytes: z.number(),
    from: z.string().optional().describe('Where the stored log begins, in the words of the service.'),
    to: z.string().optional(),
    oldestAt: z.string().optional(),
    newestAt: z.string().optional(),
    capture: captureSchema.optional().describe('Absent where the log is not kept.'),
  })
  .meta({ id: 'ResourceLog' });
