export const PERSONAL_KINDS = ['email', 'phone', 'url', 'ip', 'card', 'iban'] as const;

export type PersonalKind = (typeof PERSONAL_KINDS)[number];

/** A part of a text; indexes in UTF-16 units, `end` exclusive. */
export interface TextSpan {
  kind: PersonalKind;
  start: number;
  end: number;
}
