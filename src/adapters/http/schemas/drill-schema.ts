import { z } from 'zod';
import { assertions, backupType, id, moment } from './fields.ts';

export const drillVerdict = z.enum(['passed', 'failed', 'impossible']);

export const drillRequest = z
  .strictObject({
    backupId: id.optional().describe('A certain backup; without it, `which` chooses.'),
    which: z.enum(['newest', 'random']).optional().describe('`newest` if not said.'),
    moment: z
      .union([z.enum(['newest', 'random']), moment])
      .optional()
      .describe(
        'Of resources with a log: what that is replayed to. `newest`, if not said: its end. A time, or any moment that it covers: from the newest backup that was complete by then, without `which`.',
      ),
    assertions: assertions.optional().describe('Looked at beside those of the resource.'),
  })
  .refine(({ backupId, which }) => backupId === undefined || which === undefined, {
    path: ['which'],
    message: 'must not be given with `backupId`',
  })
  .meta({ examples: [{ which: 'random', assertions: [{ jsonPath: '$.users[*]', count: { atLeast: 1 } }] }] });

const checkSchema = z.object({
  name: z.string(),
  kind: z
    .enum(['content', 'integrity', 'assertion'])
    .describe('`content` compares with what was backed up, `integrity` looks at what was restored alone.'),
  description: z.string(),
  subject: z.string().optional(),
  outcome: z.enum(['passed', 'failed', 'not-applicable']),
  expected: z.string(),
  found: z.string(),
  details: z.array(z.string()).optional(),
  durationMilliseconds: z.number(),
});

export const drillSchema = z
  .object({
    id: z.string(),
    resourceId: z.string(),
    resourceType: z.string(),
    service: z.string(),
    operationId: z.string(),
    which: z.enum(['newest', 'random', 'chosen', 'moment']).describe('`moment`: the newest that was complete by then.'),
    moment: z
      .object({
        which: z.enum(['random', 'chosen']),
        at: z.string(),
        reached: z
          .object({ position: z.string(), at: z.string() })
          .optional()
          .describe('How far the log was replayed: an LSN or state, and when its last change by then was made.'),
      })
      .optional()
      .describe('The moment to which was restored; absent: the end of the log, or of the backup.'),
    backup: z.object({
      id: z.string(),
      type: backupType,
      contentKind: z.enum(['document', 'stream', 'tree']),
      createdAt: z.string(),
      size: z.number(),
      checksum: z.string(),
      repositoryId: z.string(),
      chainLength: z.number().describe('Snapshots that the restore needed.'),
    }),
    outcome: drillVerdict.describe(
      '`impossible`: this machine could not do it, which says nothing of the backup and proves nothing either.',
    ),
    fault: z.enum(['backup', 'assertion', 'environment', 'unknown']).optional(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
    checks: z.array(checkSchema),
    assertions,
    recoveryTimeMilliseconds: z
      .number()
      .optional()
      .describe('From the beginning of the drill until the data could be used; absent where it did not come to that.'),
    recoveryPoint: z
      .object({
        backupId: z.string(),
        createdAt: z.string(),
        log: z
          .object({ position: z.string(), at: z.string() })
          .optional()
          .describe(
            'The end of the log, where the drill replayed it: an LSN or state, and when the last change before it was made.',
          ),
        ageMilliseconds: z.number(),
      })
      .describe('The newest backup when the drill began, the end of the log, and the age of the newer of both then.'),
    restoredBytes: z.number().optional(),
    warnings: z.array(z.string()),
    environment: z.record(z.string(), z.string()).describe('Programs and their versions, the host and its system.'),
    createdBy: z.string(),
    createdAt: z.string(),
    completedAt: z.string(),
  })
  .meta({ id: 'Drill' });

export const drillStandingSchema = z
  .object({
    resourceId: z.string(),
    lastProven: z
      .object({
        drillId: z.string(),
        at: z.string(),
        backupId: z.string(),
        backupCreatedAt: z.string(),
        recoveryTimeMilliseconds: z.number(),
      })
      .optional()
      .describe('The newest drill that passed; absent where none ever did.'),
    last: z
      .object({ drillId: z.string(), at: z.string(), backupId: z.string(), outcome: drillVerdict })
      .optional()
      .describe('The newest drill; absent where there was none.'),
  })
  .meta({ id: 'DrillStanding' });
