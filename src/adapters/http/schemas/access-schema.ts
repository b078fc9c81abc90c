import { z } from 'zod';
import { VARIANT_NAME } from '../../../core/grant.ts';
import { RESOURCE_PATTERN } from '../../../core/resource-pattern.ts';
import { line, timestamp } from './fields.ts';

export const role = z.enum(['admin', 'operator', 'developer', 'viewer']);

const resourcePattern = z.string().regex(RESOURCE_PATTERN, 'must be a resource id, or its beginning and a *');

export const confinement = z
  .array(resourcePattern)
  .min(1)
  .max(1000)
  .describe('Resource ids, or beginnings of ids followed by `*`, that the credentials are confined to; default: all.');

const limit = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

/** What somebody may download. */
const grantRequest = z.strictObject({
  resources: z.array(resourcePattern).min(1).max(1000).describe('Resource ids, or beginnings of ids followed by `*`.'),
  variants: z
    .array(z.string().regex(VARIANT_NAME, 'must be the name of a variant'))
    .min(1)
    .max(100)
    .describe('Variants by name; `raw` is the data as it was backed up.'),
  expiresAt: timestamp.optional().describe('From then on it gives nothing.'),
  latestOnly: z.boolean().optional().describe('Only the newest backup.'),
  maxAgeDays: z.number().int().min(1).max(36_500).optional().describe('Only backups that are not older.'),
  reasonFor: z
    .array(z.string().regex(VARIANT_NAME, 'must be the name of a variant'))
    .max(100)
    .optional()
    .describe('Variants that are given only with a reason (`X-Reason`), which the audit log keeps.'),
  limits: z
    .strictObject({
      downloadsPerHour: limit.optional(),
      concurrent: limit.optional(),
      bytesPerDay: limit.optional(),
    })
    .optional(),
});

export const grantSchema = grantRequest.extend({ expiresAt: z.string().optional() }).meta({ id: 'Grant' });

export const grants = z
  .array(grantRequest)
  .max(100)
  .describe(
    'What may be downloaded, where it is not every variant of each resource; whoever has several may have what any of them gives.',
  );

export const userName = z.string().min(1).max(256);
export const userPath = z.strictObject({ name: userName });

const password = z.string().min(1).max(1024).meta({ format: 'password' });

export const userRequest = z
  .strictObject({
    role,
    resources: confinement.optional(),
    grants: grants.optional(),
    expiresAt: timestamp.optional().describe('From then on the user may not sign in.'),
    disabled: z.boolean().default(false),
    password: password.optional().describe('Needed for a new user; without it, the present one stays.'),
  })
  .meta({ examples: [{ role: 'developer', resources: ['shop-*'], password: 'several words that nobody guesses' }] });

export const userSchema = z
  .object({
    name: z.string(),
    role,
    resources: z.array(z.string()).optional(),
    grants: z.array(grantSchema).optional(),
    expiresAt: z.string().optional(),
    disabled: z.boolean(),
    createdAt: z.string(),
    updatedAt: z.string(),
    passwordChangedAt: z.string(),
  })
  .meta({ id: 'User' });

export const passwordRequest = z.strictObject({
  currentPassword: password,
  password: password.describe('The new one.'),
});

const scopeSchema = z.object({ role, resources: z.array(z.string()).optional() });

export const callerSchema = z
  .object({
    name: line(1000),
    method: z
      .enum(['local', 'token', 'password', 'ldap', 'oidc', 'proxy'])
      .optional()
      .describe('How you were identified; `local`: as a program of this machine, while no credentials exist.'),
    role,
    resources: z.array(z.string()).optional().describe('What you are confined to; absent: nothing.'),
    scopes: z.array(scopeSchema).optional().describe('Where you have different roles on different resources.'),
    grants: z.array(grantSchema).optional().describe('What you may download, where that is not all.'),
    groups: z.array(z.string()).optional(),
  })
  .meta({ id: 'Caller' });
