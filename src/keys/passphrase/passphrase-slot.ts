import { z } from 'zod';

/** What RFC 9106 section 3.1 allows; a slot with other parameters was not made by this provider. */
export const passphraseSlot = z
  .object({
    algorithm: z.literal('argon2id'),
    /** base64; Holdfast makes 16 bytes */
    salt: z.string().refine((salt) => Buffer.from(salt, 'base64').length >= 8),
    memoryKiB: z.number().int(),
    passes: z.number().int().min(1),
    parallelism: z.number().int().min(1),
  })
  .refine(({ memoryKiB, parallelism }) => memoryKiB >= 8 * parallelism);
export type PassphraseSlot = z.infer<typeof passphraseSlot>;
