import path from 'node:path';
import { z } from 'zod';
import { type NotificationConfiguration, WEBHOOK_FORMATS } from '../core/notification-configuration.ts';
import { NOTIFICATION_TYPES } from '../core/ports/notifier.ts';
import { RESOURCE_PATTERN } from '../core/resource-pattern.ts';
import { isSecretReference } from '../core/secret-reference.ts';
import { secretReference } from './secret-reference-schema.ts';

const SECRET_EXPECTED = {
  error: 'a secret must not stand here itself: write env:NAME or file:/path',
  params: { secret: true },
};

const url = z
  .string()
  .refine((text) => isSecretReference(text) || isWebAddress(text), {
    error: 'is an address such as https://alerts.example.org/holdfast, or env:NAME or file:/path where one stands',
    abort: true,
  })
  .refine((text) => isSecretReference(text) || !holdsPassword(text), SECRET_EXPECTED);

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be the name of a header')
  .refine(
    (name) => !/^(host|connection|content-length|content-type|transfer-encoding|expect|webhook-.*)$/i.test(name),
    'is a header that Holdfast sets itself',
  );

const headers = z
  .record(headerName, z.string().regex(/^[\t\x20-\x7e]*$/, 'must be printable ASCII'))
  .refine(
    (set) => Object.entries(set).every(([name, value]) => !namesSecret(name) || isSecretReference(value)),
    SECRET_EXPECTED,
  );

const webhook = z.strictObject({
  url,
  format: z.enum(WEBHOOK_FORMATS).default('json'),
  secret: secretReference.optional(),
  headers: headers.default({}),
  ca: z.string().min(1).optional(),
  timeoutSeconds: z.number().min(0.1).max(60).default(10),
});

const target = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'lower-case letters, digits and hyphens'),
  events: z.array(z.enum(NOTIFICATION_TYPES)).min(1).optional(),
  subjects: z
    .array(z.string().regex(RESOURCE_PATTERN, 'an id, or the beginning of ids and a `*` at the end'))
    .min(1)
    .default(['*']),
  webhook,
});

/** `notifications` in `holdfast.yaml`; docs/notifications.md tells what each setting does. */
export const notificationsSchema = z
  .array(target)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'each has a name of its own');

/** @param workingFolder that relative paths start at */
export function notificationOf(
  { events, webhook: { ca, secret, ...webhook }, ...rest }: z.infer<typeof target>,
  workingFolder: string,
): NotificationConfiguration {
  return {
    ...rest,
    ...(events === undefined ? {} : { events }),
    webhook: {
      ...webhook,
      ...(secret === undefined ? {} : { secret }),
      ...(ca === undefined ? {} : { caFile: path.resolve(workingFolder, ca) }),
    },
  };
}

function isWebAddress(text: string): boolean {
  return /^https?:\/\/[^/]/i.test(text) && URL.canParse(text);
}

function holdsPassword(text: string): boolean {
  const { username, password } = new URL(text);
  return username !== '' || password !== '';
}

function namesSecret(header: string): boolean {
  return /auth|token|key|secret|cookie|password/i.test(header);
}
