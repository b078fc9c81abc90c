import { z } from 'zod';
import { backupSchema } from './backup-schema.ts';
import { assertions, backupType, id, line, partialMetadata, timeZone } from './fields.ts';

export const resourceRequest = z
  .strictObject({
    type: line(200).optional().describe("A label such as `postgresql`; default: the service's name."),
    service: line(100).describe('One of `GET /services`.'),
    configuration: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('What the service needs; secrets only as references such as `env:NAME` or `file:/path`.'),
    policyId: id.optional().describe('The retention policy of its backups.'),
    metadata: partialMetadata.optional().describe('What each new backup of it gets unless said otherwise.'),
    assertions: assertions.optional().describe('What each restore drill looks at; see docs/drills.md.'),
  })
  .meta({ examples: [{ type: 'files', service: 'files', configuration: { paths: ['/srv/shop'] } }] });

export const resourceSchema = z
  .object({
    id: z.string(),
    type: z.string(),
    service: z.string(),
    configuration: z.record(z.string(), z.unknown()),
    repositoryId: z.string(),
    policyId: z.string().optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    assertions: assertions.optional(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Resource' });

const count = z.number().int().min(1).max(100_000);

export const retentionRules = z
  .strictObject({
    keepLast: count,
    keepHourly: count,
    keepDaily: count,
    keepWeekly: count,
    keepMonthly: count,
    keepYearly: count,
    keepWithinDays: count,
    keepTags: z.array(line(1200)).min(1).max(64),
  })
  .partial()
  .refine((rules) => Object.keys(rules).length > 0, 'name at least one rule, for example keepDaily');

export const policyRequest = z
  .strictObject({
    name: line(200),
    rules: retentionRules,
    timeZone: timeZone.optional().describe('Where days, weeks and months begin; `UTC` if not said.'),
  })
  .meta({ examples: [{ name: 'standard', rules: { keepDaily: 7, keepWeekly: 4, keepMonthly: 12, keepYearly: 7 } }] });

export const newPolicyRequest = policyRequest.extend({ id: id.optional() });

export const policySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    rules: z.record(z.string(), z.unknown()),
    timeZone: z.string(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Policy' });

export const policyPreviewRequest = z.strictObject({
  resourceId: id,
  rules: retentionRules,
  timeZone: timeZone.optional(),
});

export const retentionApplyRequest = z.strictObject({
  dryRun: z.boolean().default(false).describe('Only say what would go.'),
  rules: retentionRules.optional().describe("Default: those of the resource's policy."),
});

export const retentionPlanSchema = z
  .object({
    keep: z.array(z.object({ backup: backupSchema, reasons: z.array(z.string()) })),
    forget: z.array(backupSchema),
    dryRun: z.boolean(),
  })
  .meta({ id: 'RetentionPlan' });

export const scheduleRequest = z
  .strictObject({
    resourceId: id,
    cron: line(200).describe('Five or six cron fields, or a nickname such as `@daily`.'),
    timeZone: timeZone.optional().describe('Where `cron` is read; `UTC` if not said.'),
    kind: z.enum(['backup', 'drill']).optional().describe('What it starts; `backup` if not said.'),
    type: backupType.optional().describe('Of backups.'),
    which: z.enum(['newest', 'random']).optional().describe('Of drills: which backup is restored.'),
    moment: z
      .enum(['newest', 'random'])
      .optional()
      .describe('Of drills, without `which`: what the log is replayed to, its end or any moment that it covers.'),
    assertions: assertions.optional().describe('Of drills: looked at beside those of the resource.'),
    enabled: z.boolean().optional(),
  })
  .meta({
    examples: [{ resourceId: 'shop-files', cron: '30 2 * * *', timeZone: 'Europe/Berlin', type: 'incremental' }],
  });

export const newScheduleRequest = scheduleRequest.extend({ id: id.optional() });

export const scheduleSchema = z
  .object({
    id: z.string(),
    resourceId: z.string(),
    cron: z.string(),
    timeZone: z.string(),
    kind: z.enum(['backup', 'drill']).optional().describe('Absent: backups.'),
    type: backupType.optional(),
    which: z.enum(['newest', 'random']).optional(),
    moment: z.enum(['newest', 'random']).optional(),
    assertions: assertions.optional(),
    enabled: z.boolean(),
    createdAt: z.string(),
    updatedAt: z.string(),
    lastRunAt: z.string().optional(),
    lastOperationId: z.string().optional(),
    nextRunAt: z.string().optional(),
  })
  .meta({ id: 'Schedule' });
