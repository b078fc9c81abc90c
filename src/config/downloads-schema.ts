import path from 'node:path';
import { z } from 'zod';
import { DEFAULT_DOWNLOADS, type DownloadConfiguration } from '../core/download.ts';

const positive = z.number().int().min(1);

/** `downloads` in holdfast.yaml; docs/downloads.md tells what each setting does. */
export const downloadsSchema = z.strictObject({
  defaultResource: z
    .string()
    .regex(/^[A-Za-z0-9._:@-]{1,200}$/, 'the id of a resource')
    .optional(),
  defaultVariant: z.literal('raw', { error: 'can be raw only: what masking policies make comes by itself' }).optional(),
  maxConcurrent: positive.max(10_000).optional(),
  limits: z
    .strictObject({
      downloadsPerHour: positive.optional(),
      concurrent: positive.optional(),
      bytesPerDay: positive.optional(),
    })
    .optional(),
  idleSeconds: positive.max(86_400).optional(),
  tickets: z
    .union([z.literal(false), positive.max(60)], { error: 'false, or for how many minutes a ticket is good: 1 to 60' })
    .optional(),
  publicUrl: z
    .url({ protocol: /^https?$/, error: 'a URL such as https://backups.example.org' })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional(),
  policies: z.string().min(1, 'the folder of masking policies').optional(),
  transformers: z.string().min(1, 'the folder of what the transformers lookup and js read').optional(),
});

export function downloadsOf(
  file: z.infer<typeof downloadsSchema> | undefined,
  workingFolder: string,
): DownloadConfiguration {
  const {
    defaultResource,
    defaultVariant,
    maxConcurrent,
    limits = {},
    idleSeconds,
    tickets,
    publicUrl,
    policies,
    transformers,
  } = file ?? {};
  const { downloadsPerHour, concurrent, bytesPerDay } = limits;
  return {
    maxConcurrent: maxConcurrent ?? DEFAULT_DOWNLOADS.maxConcurrent,
    idleSeconds: idleSeconds ?? DEFAULT_DOWNLOADS.idleSeconds,
    ticketMinutes: tickets === false ? 0 : (tickets ?? DEFAULT_DOWNLOADS.ticketMinutes),
    limits: {
      ...(downloadsPerHour === undefined ? {} : { downloadsPerHour }),
      ...(concurrent === undefined ? {} : { concurrent }),
      ...(bytesPerDay === undefined ? {} : { bytesPerDay }),
    },
    ...(defaultResource === undefined ? {} : { defaultResource }),
    ...(defaultVariant === undefined ? {} : { defaultVariant }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(policies === undefined ? {} : { policyFolder: path.resolve(workingFolder, policies) }),
    ...(transformers === undefined ? {} : { transformerFolder: path.resolve(workingFolder, transformers) }),
  };
}
