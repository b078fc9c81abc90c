import assert from 'node:assert/strict';
import { z } from 'zod';
import { callerSchema, userSchema } from '../src/adapters/http/schemas/access-schema.ts';
import {
  auditEventSchema,
  keySlotSchema,
  newTokenSchema,
  problemSchema,
  repositorySchema,
  tokenSchema,
} from '../src/adapters/http/schemas/administration-schema.ts';
import {
  backupSchema,
  deletedBackupsSchema,
  uploadedBackupSchema,
  validationSchema,
} from '../src/adapters/http/schemas/backup-schema.ts';
import { drillSchema, drillStandingSchema } from '../src/adapters/http/schemas/drill-schema.ts';
import {
  operationSchema,
  restoreAnswerSchema,
  restoreOperationSchema,
} from '../src/adapters/http/schemas/operation-schema.ts';
import {
  policySchema,
  resourceSchema,
  retentionPlanSchema,
  scheduleSchema,
} from '../src/adapters/http/schemas/resource-schema.ts';

const BACKUP_OR_OPERATION = z.union([backupSchema, operationSchema]);

/** The documented answer of each request; the first that fits counts. */
const DOCUMENTED: readonly [RegExp, z.ZodType][] = [
  [/^GET \/backups$/, z.array(backupSchema)],
  [/^POST (\/resources\/[^/]+)?\/backups$/, BACKUP_OR_OPERATION],
  [/^PUT \/resources\/[^/]+\/backups$/, uploadedBackupSchema],
  [/^(GET|PATCH) \/backups\/[^/]+$/, backupSchema],
  [/^DELETE /, deletedBackupsSchema],
  [/\/validate$/, validationSchema],
  [/^POST \/resources\/[^/]+\/drills$/, z.union([drillSchema, operationSchema])],
  [/\/drills\/summary$/, drillStandingSchema],
  [/^GET \/drills$/, z.array(drillSchema)],
  [/^GET \/drills\//, drillSchema],
  [/^POST \/restore/, restoreAnswerSchema],
  [/^GET \/restore\/operations$/, z.array(restoreOperationSchema)],
  [/^GET \/restore\/operations\//, restoreOperationSchema],
  [/^GET \/operations$/, z.array(operationSchema)],
  [
    /\/(operations\/|verify$)/,
    z.union([operationSchema, z.object({ events: z.number(), brokenAt: z.number().optional() })]),
  ],
  [/^GET \/resources$/, z.array(resourceSchema)],
  [/retention\/apply$|preview$/, retentionPlanSchema],
  [/ \/resources\//, resourceSchema],
  [/^GET \/schedules$/, z.array(scheduleSchema)],
  [/ \/schedules/, scheduleSchema],
  [/^GET \/policies$/, z.array(policySchema)],
  [/ \/policies/, policySchema],
  [/\/keys$/, z.array(keySlotSchema)],
  [/^GET \/repositories$/, z.array(repositorySchema)],
  [/ \/repositories\//, repositorySchema],
  [/^GET \/tokens$/, z.array(tokenSchema)],
  [/^POST \/tokens$/, newTokenSchema],
  [/^GET \/users$/, z.array(userSchema)],
  [/^(GET|PUT) \/users\/[^/]+$/, userSchema],
  [/^GET \/me$/, callerSchema],
  [/^GET \/audit$/, z.array(auditEventSchema)],
];

/** Fails where an answer lacks a documented field or holds one that is not documented. */
export function assertDocumented(method: string, route: string, status: number, body: unknown): void {
  if (body === undefined) return;
  if (status >= 400) {
    problemSchema.parse(body);
    return;
  }
  const request = `${method} ${route.split('?', 1)[0]}`;
  const schema = DOCUMENTED.find(([pattern]) => pattern.test(request))?.[1];
  if (schema === undefined) return;
  assert.deepEqual(body, schema.parse(body), `${request} answers other than is documented`);
}
