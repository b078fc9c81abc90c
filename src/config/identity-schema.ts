import { isIP } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { VARIANT_NAME } from '../core/grant.ts';
import type { GrantRule, IdentityConfiguration } from '../core/identity-configuration.ts';
import { momentSchema } from '../core/moment-schema.ts';
import { RESOURCE_PATTERN } from '../core/resource-pattern.ts';
import { isSecretReference } from '../core/secret-reference.ts';

const text = z.string().min(1).max(2000);
const secretReference = z.string().refine(isSecretReference, {
  error: 'a secret must not stand here itself: write env:NAME or file:/path',
  params: { secret: true },
});
const oneOrMore = (item: z.ZodType<string>) =>
  z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(item).min(1));

const directoryUrl = text.refine(
  (url) => /^ldaps?:\/\/[^/?#@\s]+\/?$/i.test(url) && URL.canParse(url),
  'is written ldaps://host or ldap://host:389',
);

const ldap = z
  .strictObject({
    url: oneOrMore(directoryUrl),
    startTls: z.boolean().default(false),
    plain: z.boolean().default(false),
    ca: text.optional(),
    bind: z.strictObject({ dn: text, password: secretReference }).optional(),
    users: z.strictObject({
      base: text,
      filter: text.refine((filter) => filter.includes('{name}'), 'must hold {name}').default('(uid={name})'),
      name: text.default('uid'),
    }),
    groups: z
      .strictObject({
        base: text,
        memberOf: text.default('memberOf'),
        filter: text.refine((filter) => /\{(dn|name)\}/.test(filter), 'must hold {dn} or {name}').optional(),
        name: text.default('cn'),
      })
      .optional(),
    timeoutSeconds: z.number().min(0.1).max(60).default(5),
    cacheSeconds: z.number().int().min(0).max(3600).default(300),
  })
  .refine(({ url, startTls, plain }) => plain || startTls || url.every((each) => /^ldaps:/i.test(each)), {
    path: ['url'],
    error: 'passwords would go unencrypted: use ldaps://, or startTls: true, or say plain: true',
  })
  .refine(({ url, startTls }) => !startTls || url.every((each) => /^ldap:/i.test(each)), {
    path: ['startTls'],
    error: 'goes with ldap:// only: ldaps:// is encrypted from the start',
  });

/** Signatures by a key that only the issuer has; nothing that a public key or nobody can make. */
const algorithm = z.enum(
  ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
  { error: 'must be an asymmetric signature such as RS256 or ES256' },
);

const issuer = text.refine((url) => {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, search, hash } = new URL(url);
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return (protocol === 'https:' || (protocol === 'http:' && isHere)) && search === '' && hash === '';
}, 'must be an https:// address');

const oidc = z.strictObject({
  issuer,
  audience: oneOrMore(text),
  algorithms: z.array(algorithm).min(1).default(['RS256', 'PS256', 'ES256', 'EdDSA']),
  nameClaim: text.default('sub'),
  groupsClaim: text.default('groups'),
});

const header = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be the name of a header')
  .refine(
    (name) => !/^(authorization|cookie|host|forwarded|x-forwarded-.*)$/i.test(name),
    'is a header with a meaning of its own',
  );
const network = z.string().refine(isNetwork, 'must be an address, or a network such as 10.0.0.0/8');

const proxy = z
  .strictObject({
    addresses: z.array(network).min(1),
    userHeader: header.optional(),
    groupsHeader: header.optional(),
    secretHeader: header.optional(),
    secret: secretReference.optional(),
  })
  .refine(({ secretHeader, secret }) => (secretHeader === undefined) === (secret === undefined), {
    path: ['secret'],
    error: 'goes with secretHeader, and neither without the other',
  })
  .refine(
    ({ userHeader, groupsHeader, secretHeader }) =>
      userHeader !== undefined || (groupsHeader ?? secretHeader) === undefined,
    {
      path: ['userHeader'],
      error: 'is missing: the other headers mean nothing without it',
    },
  )
  .refine(
    ({ addresses, userHeader, secret }) => {
      const isEverywhere = addresses.some((each) => each.endsWith('/0'));
      return userHeader === undefined || secret !== undefined || !isEverywhere;
    },
    { path: ['addresses'], error: 'must not be the whole world: everybody could say who they are' },
  );

const count = z.number().int().min(1);
const days = z.preprocess(
  (value) => (typeof value === 'string' && /^\d{1,5}d$/.test(value) ? Number(value.slice(0, -1)) : value),
  z.number({ error: 'must be a number of days, such as 30d' }).int().min(1).max(36_500),
);
const MOMENT_EXPECTED = 'must be a date such as 2027-03-31 or a time by RFC 3339';
const moment = z.union([momentSchema(MOMENT_EXPECTED), z.iso.date()], { error: MOMENT_EXPECTED });

const rule = z
  .strictObject({
    subjects: z.array(text.regex(/^(\*|(user|group):.+)$/su, 'must be user:NAME, group:NAME or *')).min(1),
    methods: z
      .array(z.enum(['ldap', 'oidc', 'proxy']))
      .min(1)
      .optional(),
    role: z.enum(['admin', 'operator', 'developer', 'viewer']).default('developer'),
    resources: z.array(z.string().regex(RESOURCE_PATTERN, 'must be an id, or its beginning and a *')).min(1),
    variants: z.array(z.string().regex(VARIANT_NAME)).default([]),
    latestOnly: z.boolean().optional(),
    maxAge: days.optional(),
    reasonFor: z.array(z.string().regex(VARIANT_NAME)).optional(),
    limits: z
      .strictObject({ downloadsPerHour: count.optional(), concurrent: count.optional(), bytesPerDay: count.optional() })
      .optional(),
    expires: moment.optional(),
  })
  .refine(({ role, variants }) => role === 'viewer' || variants.length > 0, {
    path: ['variants'],
    error: 'must say which may be downloaded; raw is the data as it was backed up',
  });

/** `identity` in `holdfast.yaml`; docs/identity.md tells what each setting does. */
export const identitySchema = z
  .strictObject({
    ldap: ldap.optional(),
    oidc: oidc.optional(),
    proxy: proxy.optional(),
    grants: z.array(rule).default([]),
  })
  .refine(({ ldap, oidc, proxy, grants }) => grants.length > 0 || (ldap ?? oidc ?? proxy?.userHeader) === undefined, {
    path: ['grants'],
    error: 'is empty, so that nobody whom LDAP, OIDC or a proxy vouches for may do anything',
  });

export function identityOf(identity: z.infer<typeof identitySchema>, workingFolder: string): IdentityConfiguration {
  const { ldap, oidc, proxy, grants } = identity;
  return {
    ...(ldap === undefined ? {} : { ldap: ldapOf(ldap, workingFolder) }),
    ...(oidc === undefined ? {} : { oidc }),
    ...(proxy === undefined ? {} : { proxy: present(proxy) }),
    grants: grants.map(ruleOf),
  };
}

function ldapOf(settings: z.infer<typeof ldap>, workingFolder: string): NonNullable<IdentityConfiguration['ldap']> {
  const { url, ca, bind, groups, ...rest } = settings;
  return {
    ...rest,
    urls: url,
    ...(ca === undefined ? {} : { caFile: path.resolve(workingFolder, ca) }),
    ...(bind === undefined ? {} : { bindDn: bind.dn, bindPassword: bind.password }),
    ...(groups === undefined ? {} : { groups: present(groups) }),
  };
}

function ruleOf({ methods, latestOnly, reasonFor, maxAge, limits, expires, ...rest }: z.infer<typeof rule>): GrantRule {
  return {
    ...rest,
    ...present({ methods, latestOnly, reasonFor }),
    ...(maxAge === undefined ? {} : { maxAgeDays: maxAge }),
    ...(limits === undefined ? {} : { limits: present(limits) }),
    ...(expires === undefined ? {} : { expiresAt: new Date(expires).toISOString() }),
  };
}

type Present<Values> = { [Name in keyof Values]: Exclude<Values[Name], undefined> };

function present<Values extends object>(values: Values): Present<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<Values>;
}

function isNetwork(written: string): boolean {
  const [address = '', prefix, ...more] = written.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0 || address.includes('%')) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}
