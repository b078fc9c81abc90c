import { z } from 'zod';
import { validationSchema } from './backup-schema.ts';
import { backupType, id, line, moment, operationStatus } from './fields.ts';

const progressSchema = z.object({
  percent: z.number(),
  phase: z.string().optional(),
  doneBytes: z.number().optional(),
  totalBytes: z.number().optional(),
  doneFiles: z.number().optional(),
  totalFiles: z.number().optional(),
  current: z.string().optional(),
});

const operationErrorSchema = z.object({ code: z.string(), message: z.string(), kind: z.string().optional() });

export const operationKind = z.enum([
  'backup',
  'restore',
  'verify',
  'prune',
  'repair',
  'copy',
  'recover',
  'drill',
  'adopt',
  'variant',
]);

export const operationSchema = z
  .object({
    id: z.string(),
    kind: operationKind,
    status: operationStatus,
    input: z.record(z.string(), z.unknown()),
    resourceId: z.string().optional(),
    backupId: z.string().optional(),
    progress: progressSchema,
    result: z.record(z.string(), z.unknown()).optional(),
    error: operationErrorSchema.optional(),
    warnings: z.array(z.string()),
    attempts: z.number(),
    createdBy: z.string(),
    createdAt: z.string(),
    startedAt: z.string().optional(),
    completedAt: z.string().optional(),
  })
  .meta({ id: 'Operation' });

const restoreOptions = z
  .record(z.string(), z.unknown())
  .optional()
  .describe(
    '`dryRun` tells as `result.plan` what would be created, replaced, dropped and left out, the size and the time. For file trees: `target`, `paths`, `conflict` (fail, skip, overwrite, newer).',
  );

const restoreFields = {
  targetResourceId: id
    .optional()
    .describe(
      'Another resource of the same service, whose configuration says where to restore to. For posted content a label.',
    ),
  createdBy: line(200).optional().describe('Default: the name of the credentials.'),
  validate: z.boolean().optional().describe('Check the content before it is given; true if not said.'),
  options: restoreOptions,
};

export const restoreRequest = z.strictObject({ backupId: id, ...restoreFields }).meta({
  examples: [{ backupId: 'backup-1', targetResourceId: 'database-1-restored', createdBy: 'admin', validate: true }],
});

export const pointInTimeRequest = z
  .strictObject({
    resourceId: id,
    timestamp: moment.describe('RFC 3339; the newest backup at or before it is restored.'),
    ...restoreFields,
  })
  .meta({
    examples: [
      {
        resourceId: 'database-1',
        timestamp: '2025-01-01T12:30:00Z',
        targetResourceId: 'database-1-pit',
        createdBy: 'admin',
      },
    ],
  });

export const restoreOperationSchema = z
  .object({
    id: z.string(),
    backupId: z.string(),
    targetResourceId: z.string().optional(),
    type: backupType,
    status: operationStatus,
    validated: z.boolean(),
    validationErrors: z.array(z.string()),
    progress: z.number().describe('0 to 100.'),
    createdAt: z.string(),
    completedAt: z.string().optional(),
    createdBy: z.string(),
    resourceId: z.string().optional(),
    validation: validationSchema.optional(),
    detail: progressSchema.optional(),
    result: z.record(z.string(), z.unknown()).optional(),
    error: operationErrorSchema.optional(),
    warnings: z.array(z.string()),
  })
  .meta({
    id: 'RestoreOperation',
    examples: [
      {
        id: 'restore-1',
        backupId: 'backup-1',
        targetResourceId: 'database-1-restored',
        type: 'full',
        status: 'completed',
        validated: true,
        validationErrors: [],
        progress: 100,
        createdAt: '2025-01-01T13:00:00.000Z',
        completedAt: '2025-01-01T13:00:10.000Z',
        createdBy: 'admin',
        warnings: [],
      },
    ],
  });

export const restoreAnswerSchema = z
  .object({
    operation: restoreOperationSchema,
    data: z.any().optional().describe('The restored document; absent for streams and file trees.'),
  })
  .meta({ id: 'RestoreAnswer' });
