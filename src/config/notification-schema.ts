import path from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../core/errors.ts';
import { isWebAddress, type NotificationConfiguration, WEBHOOK_FORMATS } from '../core/notification-configuration.ts';
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

const address = z
  .string()
  .regex(
    /^[^\s<>@,;:()"]+@[^\s<>@,;()"]+$|^[^<>\r\n]* <[^\s<>@,;:()"]+@[^\s<>@,;()"]+>$/,
    'is one address, such as ops@example.org',
  );
const mailServer = z
  .string()
  .refine(
    (text) => /^smtps?:\/\/[^/?#@\s]+\/?$/i.test(text) && URL.canParse(text),
    'is written smtps://host or smtp://host:587, without user and password',
  );

const mail = z
  .strictObject({
    server: mailServer,
    plain: z.boolean().default(false),
    user: z.string().min(1).optional(),
    password: secretReference.optional(),
    from: address,
    to: z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(address).min(1)),
    ca: z.string().min(1).optional(),
    timeoutSeconds: z.number().min(0.1).max(300).default(30),
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), {
    path: ['password'],
    error: 'goes with user, and neither without the other',
  })
  .refine(({ plain, password }) => !plain || password === undefined, {
    path: ['plain'],
    error: 'would send the password unencrypted',
  })
  .refine(({ plain, server }) => !plain || /^smtp:/i.test(server), {
    path: ['plain'],
    error: 'goes with smtp:// only: smtps:// is encrypted from the start',
  });

const target = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'lower-case letters, digits and hyphens'),
    events: z.array(z.enum(NOTIFICATION_TYPES)).min(1).optional(),
    subjects: z
      .array(z.string().regex(RESOURCE_PATTERN, 'an id, or the beginning of ids and a `*` at the end'))
      .min(1)
      .default(['*']),
    webhook: webhook.optional(),
    mail: mail.optional(),
  })
  .refine(
    ({ webhook, mail }) => (webhook === undefined) !== (mail === undefined),
    'each target is either a webhook or mail',
  );

/** `notifications` in `holdfast.yaml`; docs/notifications.md tells what each setting does. */
export const notificationsSchema = z
  .array(target)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'each has a name of its own');

/** @param workingFolder that relative paths start at */
export function notificationOf(
  { webhook, mail, ...rest }: z.infer<typeof target>,
  workingFolder: string,
): NotificationConfiguration {
  if (webhook !== undefined) return { ...rest, webhook: withAuthorities(webhook, workingFolder) };
  if (mail !== undefined) return { ...rest, mail: withAuthorities(mail, workingFolder) };
  throw new HoldfastError('internal', 'notification-without-way', 'A target of notifications has passed that is none.');
}

function withAuthorities<Settings extends { ca?: string | undefined }>(
  { ca, ...settings }: Settings,
  workingFolder: string,
): Omit<Settings, 'ca'> & { caFile?: string } {
  return { ...settings, ...(ca === undefined ? {} : { caFile: path.resolve(workingFolder, ca) }) };
}

function holdsPassword(text: string): boolean {
  const { username, password } = new URL(text);
  return username !== '' || password !== '';
}

function namesSecret(header: string): boolean {
  return /auth|token|key|secret|cookie|password/i.test(header);
}
