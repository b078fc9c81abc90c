import { DATA_KINDS, type DataKind, type DataKindName } from './detector.ts';

/** Parts of names, as whole words: `_` stands at the beginning, the end, and between the words. The first that fits counts. */
const NAMES: readonly (readonly [DataKindName, RegExp])[] = [
  ['password', /_(password|passwort|passwd|pwd|passphrase|pass|password_?hash|cvv|cvc|pin|salt)_/],
  ['email', /_(e_mail|email|emails|mail|courriel|email_?address)_/],
  ['userAgent', /_(user_agent|useragent|browser)_/],
  ['birth', /_(birth|birthday|birthdate|dob|born|date_of_birth|geburtsdatum|geburtstag)_/],
  ['phone', /_(phone|phones|telephone|telefon|tel|mobile|msisdn|cell|cellphone|fax|handy)_/],
  ['iban', /_iban_/],
  ['card', /_(card_(number|no)|credit_card|cc_(number|no)|pan|creditcard)_/],
  ['account', /_(account_(number|no)|bank_account|kontonummer|routing_number|sort_code|bic|swift)_/],
  [
    'nationalId',
    /_(ssn|ein|nin|sin|nino|passport|passport_no|tax_(id|no|number)|vat_(id|no|number)|national_(id|number)|id_card|driver_licen[cs]e|social_security(_number)?)_/,
  ],
  ['privateKey', /_(private_key|priv_key|pem)_/],
  [
    'secret',
    /_(secret|secrets|token|tokens|api_key|apikey|access_key|auth_key|otp|totp|recovery_codes?|session_(id|key|data)|credentials?|signature)_/,
  ],
  [
    'special',
    /_(gender|sex|religion|ethnicity|race|nationality|diagnosis|disease|health|medical|blood_type|allergies|disability|political|sexual_orientation|marital_status)_/,
  ],
  ['income', /_(salary|income|wage|gehalt)_/],
  ['mac', /_(mac|mac_(addr|address)|hwaddr)_/],
  ['ip', /_(ip|ips|ip_?addr|ip_?address|ipv4|ipv6|remote_(addr|ip)|client_ip|last_ip)_/],
  ['coordinates', /_(lat|lng|lon|long|latitude|longitude|coordinates?|geo|geom|location|gps)_/],
  ['device', /_(imei|imsi|vin|device_id|serial_(no|number)|licen[cs]e_plate|plate|fingerprint)_/],
  ['firstName', /_(first_name|firstname|forename|given_name|vorname|prenom|middle_name)_/],
  ['lastName', /_(last_name|lastname|surname|family_name|nachname|maiden_name)_/],
  ['userName', /_(user_name|username|login|nick|nickname|screen_name|handle)_/],
  ['company', /_(company|company_name|employer|organi[sz]ation_name|firma)_/],
  [
    'fullName',
    /_(full_name|fullname|real_name|display_name|contact_name|customer_name|person_name|recipient|author_name|holder|cardholder|card_holder)_/,
  ],
  ['street', /_(street|strasse|addr|address|address_line|address_?[1-3]|street_?[1-3]|house_number)_/],
  ['zip', /_(zip|zip_?code|postal_code|postcode|plz)_/],
  ['city', /_(city|town|ort)_/],
  ['url', /_(url|website|homepage|avatar|photo|picture|image_url)_/],
  [
    'freeText',
    /_(notes?|comments?|remarks?|message|body|bio|biography|description|about|text|content|feedback|review|summary|reason|subject)_/,
  ],
];

const OF_PEOPLE =
  /_(users?|people|persons?|customers?|contacts?|employees?|members?|patients?|clients?|authors?|accounts?|staff|guests?|leads?|subscribers?)_/;

/** What a column most likely holds by its name; undefined where the name says nothing. @param table its table's name: `name` is a person's in `users` */
export function detectName(column: string, table = ''): DataKind | undefined {
  const words = wordsOf(column);
  for (const [kind, pattern] of NAMES) if (pattern.test(words)) return DATA_KINDS[kind];
  if (/^_name_$/.test(words) && OF_PEOPLE.test(wordsOf(table))) return DATA_KINDS.fullName;
  return undefined;
}

/** `billingEmail2` → `_billing_email2_email_`: words in lower case, and without the digits at their ends. */
function wordsOf(name: string): string {
  const words = name
    .slice(0, LONGEST)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word.replace(/(?<=[a-z])\d+$/, ''));
  return `_${words.join('_')}_`;
}

const LONGEST = 200;
