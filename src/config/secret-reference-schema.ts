import { z } from 'zod';
import { isSecretReference } from '../core/secret-reference.ts';

/** Where a secret is to be found; never the secret itself. */
export const secretReference = z.string().refine(isSecretReference, {
  error: 'a secret must not stand here itself: write env:NAME or file:/path',
  params: { secret: true },
});
