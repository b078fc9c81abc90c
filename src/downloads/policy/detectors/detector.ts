/** A kind of personal or secret data that a column may hold. */
export interface DataKind {
  name: string;
  /** What comes of it where it is disclosed, after NIST SP 800-122. */
  impact: Impact;
  /** Rules that a draft may propose, in the policy's words, the best first. The first that the column can have is taken. */
  rules: readonly string[];
}

export type Impact = 'high' | 'moderate' | 'low';

const kind = (name: string, impact: Impact, ...rules: string[]): DataKind => ({ name, impact, rules });

/** For numbers in columns of integers. */
const PERMUTE = '{ int: permute }';

/** In the order in which a name or a value is tried against them. */
export const DATA_KINDS = {
  email: kind('email', 'high', 'email', 'hash', 'null'),
  password: kind('password', 'high', '{ const: "!" }', 'null'),
  secret: kind('secret', 'high', 'token', 'hash', 'uuid', 'null', '{ const: "!" }'),
  privateKey: kind('private key', 'high', 'null', '{ const: "!" }'),
  jsonWebToken: kind('JSON web token', 'high', 'null', 'token', 'hash', '{ const: "!" }'),
  card: kind('payment card', 'high', 'card', 'digits', PERMUTE, 'null'),
  iban: kind('IBAN', 'high', 'iban', 'alnum', 'null'),
  account: kind('bank account', 'high', 'alnum', 'digits', PERMUTE, 'null'),
  nationalId: kind('number of a person or their taxes', 'high', 'national_id', 'alnum', 'digits', PERMUTE, 'null'),
  birth: kind('day of birth', 'moderate', '{ date: { truncate: year } }', '{ date: year }', 'null', 'default'),
  phone: kind('phone number', 'high', 'phone', 'digits', PERMUTE, 'null'),
  special: kind('special category (health, belief, origin, sex)', 'high', 'enum', 'null', 'default'),
  firstName: kind('first name', 'moderate', 'first_name', 'name', 'hash', 'null'),
  lastName: kind('last name', 'moderate', 'last_name', 'name', 'hash', 'null'),
  fullName: kind('name of a person', 'moderate', 'name', 'username', 'hash', 'null'),
  userName: kind('name of an account', 'moderate', 'username', 'hash', 'null'),
  street: kind('street', 'moderate', 'street', 'alnum', 'null'),
  zip: kind('postal code', 'moderate', 'zip', 'alnum', 'digits', PERMUTE, 'null'),
  coordinates: kind('place on the earth', 'moderate', 'geo', 'null', 'default'),
  ip: kind('IP address', 'moderate', 'ip', 'null', 'default'),
  mac: kind('hardware address', 'moderate', 'mac', 'null', 'default'),
  device: kind('identifier of a device', 'moderate', 'alnum', 'hash', 'null'),
  income: kind('income', 'moderate', 'null', '{ numeric: { noise: 20 } }', 'default'),
  city: kind('town', 'low', 'city', 'alnum', 'null'),
  company: kind('company', 'low', 'company', 'hash', 'null'),
  url: kind('address of a page or picture', 'low', 'url', 'null'),
  userAgent: kind('browser', 'low', 'user_agent', 'null'),
  uuid: kind('UUID', 'low', 'keep'),
  freeText: kind('free text', 'moderate', '{ text: { scrub: [email, phone, url] } }', 'redact', 'null'),
} as const satisfies Record<string, DataKind>;

export type DataKindName = keyof typeof DATA_KINDS;
