import { z } from 'zod';
import { line } from './fields.ts';

export const resourceTestRequest = z
  .strictObject({
    service: line(100).describe('One of `GET /services`.'),
    configuration: z.record(z.string(), z.unknown()).optional().describe('As in `PUT /resources/{id}`.'),
  })
  .meta({ examples: [{ service: 'files', configuration: { paths: ['/srv/shop'] } }] });

export const resourceTestSchema = z
  .object({
    resourceId: z.string().optional(),
    ok: z.boolean().describe('False where a check failed: a backup would not succeed.'),
    checks: z.array(
      z.object({
        name: z.string(),
        outcome: z.enum(['ok', 'warning', 'failed', 'skipped']),
        message: z.string(),
        advice: z.string().optional().describe('How to get what is missing.'),
      }),
    ),
  })
  .meta({ id: 'ResourceTest' });
