import { z } from 'zod';
import { confinement, grantSchema, grants, role } from './access-schema.ts';
import { id, line } from './fields.ts';

export const repositorySchema = z
  .object({
    id: z.string(),
    location: z.string(),
    formatVersion: z.number(),
    snapshots: z.number(),
    packs: z.number(),
    packBytes: z.number(),
    indexSegments: z.number(),
    chunks: z.number(),
    totalBytes: z.number(),
    cipher: z.string(),
    codec: z.string(),
    keyEpoch: z.number().describe('How often the key was rotated.'),
    oldKeyBytes: z.number().describe('Bytes of packs that are encrypted under keys that were rotated since.'),
    verification: z
      .object({
        level: z.number(),
        verifiedFraction: z.number(),
        oldestVerification: z.string().optional(),
        unverifiedPacks: z.number(),
        damagedPacks: z.number(),
      })
      .describe('What checks have read of the packs so far; `damagedPacks` above 0 asks for a repair.'),
    trash: z.number().describe('Forgotten backups that can still be brought back.'),
    lastCollection: z
      .object({
        completedAt: z.string(),
        packsRemoved: z.number(),
        bytesFreed: z.number(),
        snapshotsExpired: z.number(),
      })
      .optional()
      .describe('What the newest prune that found something removed.'),
    preview: z
      .object({
        packsRemoved: z.number(),
        packsRepacked: z.number(),
        bytesFreed: z.number(),
        orphanPacks: z.number(),
        trashExpired: z.number(),
      })
      .optional()
      .describe('What a prune would remove now.'),
  })
  .meta({ id: 'Repository' });

export const repositoryQuery = z.strictObject({
  preview: z
    .enum(['true', 'false'])
    .default('false')
    .describe('`true` looks for what a prune would remove now; it reads every tree once.'),
});

export const repairRequest = z.strictObject({
  dryRun: z.boolean().default(false).describe('Only tell what would be done.'),
});

export const pruneRequest = z.strictObject({
  allowEmpty: z
    .boolean()
    .default(false)
    .describe('Go on though no backup is left, or half of them vanished without having been forgotten.'),
  rewriteOldKeys: z
    .boolean()
    .default(false)
    .describe(
      'Write all that is encrypted under keys that were rotated since again, under the newest one; without it, a part each time.',
    ),
});

export const forgottenBackupSchema = z
  .object({
    id: z.string(),
    resourceId: z.string(),
    createdAt: z.string(),
    size: z.number(),
    forgottenAt: z.string(),
    expiresAt: z.string().describe('From then on a prune may remove it.'),
    reason: z.string(),
  })
  .meta({ id: 'ForgottenBackup' });

export const keySlotSchema = z
  .object({
    id: z.string(),
    kind: z.string(),
    label: z.string(),
    createdAt: z.string(),
    current: z.boolean().describe('This process opened the repository with it.'),
  })
  .meta({ id: 'KeySlot' });

export const verifyRequest = z.strictObject({
  level: z
    .union([z.literal(0), z.literal(1), z.literal(2), z.literal(3), z.literal(4)])
    .default(2)
    .describe(
      '0 settings and snapshots decode, 1 packs are there, 2 all trees resolve, 3 SHA-256 of the packs, 4 every chunk decodes.',
    ),
  backupIds: z.array(id).min(1).max(10_000).optional().describe('Only what these need; default: everything.'),
  budget: z
    .strictObject({
      maxAgeMilliseconds: z.number().int().min(0).optional(),
      maxBytes: z.number().int().min(1).optional(),
      maxFraction: z.number().gt(0).max(1).optional(),
      maxDurationMilliseconds: z.number().int().min(1).optional(),
    })
    .optional()
    .describe('Of packs, those never verified first, then those verified longest ago, until one of these is used up.'),
});

export const tokenRequest = z
  .strictObject({
    name: line(200),
    role,
    resources: confinement.optional(),
    grants: grants.optional(),
    expiresInDays: z.number().int().min(1).max(3650).optional(),
  })
  .meta({ examples: [{ name: 'nightly', role: 'operator', resources: ['shop-*'], expiresInDays: 365 }] });

export const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role,
    resources: z.array(z.string()).optional(),
    grants: z.array(grantSchema).optional(),
    createdAt: z.string(),
    expiresAt: z.string().optional(),
    lastUsedAt: z.string().optional(),
  })
  .meta({ id: 'Token' });

export const newTokenSchema = z
  .object({ token: z.string().describe('Shown this once.'), record: tokenSchema })
  .meta({ id: 'NewToken' });

export const auditEventSchema = z
  .object({
    sequence: z.number(),
    time: z.string(),
    actor: z.string(),
    action: z.string(),
    subject: z.string().optional(),
    outcome: z.enum(['success', 'failure', 'denied']),
    address: z.string().optional(),
    details: z.record(z.string(), z.unknown()),
    previousHash: z.string(),
    hash: z.string(),
  })
  .meta({ id: 'AuditEvent' });

export const problemSchema = z
  .object({
    type: z
      .string()
      .describe(
        'Names the sort of problem for ever: `/problems/` and the code. An identifier, as RFC 9457 allows, and no address: nothing is served there.',
      ),
    title: z.string().describe('The words of HTTP for the status.'),
    status: z.number(),
    detail: z.string().describe('What happened and what to do next.'),
    code: z.string().describe('Stable; what programs should match on.'),
    instance: z.string().describe('The path that was asked for.'),
    requestId: z.string().describe('Also in the header `x-request-id` and, for 5xx, in the log.'),
  })
  .meta({
    id: 'Problem',
    description: 'RFC 9457 problem. Further members are facts about it.',
    examples: [
      {
        type: '/problems/backup-not-found',
        title: 'Not Found',
        status: 404,
        detail: 'There is no backup backup-9; GET /backups lists those that exist.',
        code: 'backup-not-found',
        instance: '/backups/backup-9',
        requestId: 'request-0b6c5b5e-53f4-4a40-a0e6-1e6c1b0a7a11',
      },
    ],
  });
