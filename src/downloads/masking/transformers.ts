import { arrayTransformer } from './array/array-transformer.ts';
import { folderTransformers } from './folder/folder-transformers.ts';
import { hstoreTransformer } from './hstore/hstore-transformer.ts';
import { jsonTransformer } from './json/json-transformer.ts';
import { textTransformer } from './text/text-transformer.ts';
import type { Transformer } from './transformer.ts';
import { email, url, username } from './transformers/accounts.ts';
import { card, iban, nationalId } from './transformers/checked-numbers.ts';
import { bool, choice, enumeration } from './transformers/choices.ts';
import { hash, token, uuid } from './transformers/codes.ts';
import { date } from './transformers/dates.ts';
import { numeric } from './transformers/decimals.ts';
import { derive } from './transformers/derive.ts';
import { bytes, lorem, redact } from './transformers/filler.ts';
import { constTransformer, defaultTransformer, nullTransformer } from './transformers/fixed.ts';
import { alnum, digits, phone, zip } from './transformers/formats.ts';
import { geo } from './transformers/geo.ts';
import { int } from './transformers/integers.ts';
import { ip, mac } from './transformers/network.ts';
import { template } from './transformers/template.ts';
import { city, company, country, firstName, lastName, name, street, userAgent } from './transformers/words.ts';

const ALL: readonly Transformer[] = [
  nullTransformer,
  defaultTransformer,
  constTransformer,
  hash,
  token,
  uuid,
  email,
  username,
  url,
  name,
  firstName,
  lastName,
  company,
  street,
  city,
  zip,
  country,
  phone,
  digits,
  alnum,
  card,
  iban,
  nationalId,
  ip,
  mac,
  userAgent,
  int,
  numeric,
  date,
  bool,
  choice,
  enumeration,
  geo,
  lorem,
  redact,
  bytes,
  template,
  derive,
  textTransformer,
  jsonTransformer,
  arrayTransformer,
  hstoreTransformer,
  // Whoever compiles policies takes those of the folder that is configured.
  ...folderTransformers(undefined),
];

/** Every transformer that a policy can name, in the order of the documentation. `keep` is none: it changes nothing. */
export const TRANSFORMERS: ReadonlyMap<string, Transformer> = new Map(
  ALL.map((transformer) => [transformer.name, transformer]),
);
