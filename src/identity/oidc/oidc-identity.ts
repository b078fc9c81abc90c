import { errors, type JWTPayload, jwtVerify, type RemoteJWKSet } from 'jose';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { principalByRules } from '../../core/grant-rules.ts';
import type { GrantRule, OidcConfiguration } from '../../core/identity-configuration.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { IdentityProvider } from '../../core/ports/identity-provider.ts';
import type { Logger } from '../../core/ports/logger.ts';
import { Seldom } from '../../core/seldom.ts';
import { isWrittenName } from '../../core/user-name.ts';
import { IssuerKeys } from './issuer-keys.ts';

const CLOCK_SKEW_SECONDS = 60;
const MOST_GROUPS = 2000;
const MILLISECONDS_BETWEEN_LINES = 1000;
const SIGNED_TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/;

/** What jose throws about the token itself. Anything else is about the issuer. */
const REFUSALS: ReadonlySet<string> = new Set([
  errors.JWTClaimValidationFailed.code,
  errors.JWTExpired.code,
  errors.JWTInvalid.code,
  errors.JWSInvalid.code,
  errors.JWSSignatureVerificationFailed.code,
  errors.JOSEAlgNotAllowed.code,
  errors.JOSENotSupported.code,
  errors.JWKSNoMatchingKey.code,
  errors.JWKSMultipleMatchingKeys.code,
]);

export interface OidcIdentityParts {
  oidc: OidcConfiguration;
  rules: readonly GrantRule[];
  clock: Clock;
  logger: Logger;
  /** Until the issuer is asked again for a key that it did not have; default 30 s. */
  keyCooldownMilliseconds?: number;
}

/**
 * Bearers of tokens that an OpenID Connect issuer signed (RFC 7519, RFC 9068): its keys are found by discovery and fetched again when it
 * rotates them; issuer, audience, algorithm and times are checked. Refused tokens are logged with the reason and without the token,
 * not more than one a second.
 *
 * `identify` throws `issuer-unavailable` (unavailable) where the keys cannot be fetched.
 */
export function createOidcIdentity(parts: OidcIdentityParts): IdentityProvider {
  const { oidc, rules, clock, logger } = parts;
  const keys = new IssuerKeys(oidc.issuer, clock, parts.keyCooldownMilliseconds);
  const lines = new Seldom(clock, MILLISECONDS_BETWEEN_LINES);
  const say = (what: string, reason: string) => {
    if (lines.may(what)) logger.warn({ reason, issuer: oidc.issuer }, what);
  };
  const sayRefused = (reason: string) => say("an issuer's token was refused", reason);
  return {
    method: 'oidc',
    async identify(credentials) {
      if (credentials.kind !== 'bearer' || !SIGNED_TOKEN.test(credentials.token)) return 'unrecognised';
      let claims: JWTPayload;
      try {
        claims = await verified(credentials.token, await keys.ofIssuer(), oidc, clock.now());
      } catch (error) {
        if (!(error instanceof errors.JOSEError) || !REFUSALS.has(error.code)) {
          say("the issuer's keys could not be fetched", messageOf(error));
          throw issuerUnavailable(oidc.issuer, error);
        }
        sayRefused(messageOf(error));
        return 'refused';
      }
      const name = nameIn(claims, oidc.nameClaim);
      if (name === undefined) {
        sayRefused(`its claim ${oidc.nameClaim} names nobody`);
        return 'refused';
      }
      return principalByRules(rules, { method: 'oidc', name, groups: groupsIn(claims, oidc.groupsClaim) }, clock.now());
    },
  };
}

async function verified(token: string, keys: RemoteJWKSet, oidc: OidcConfiguration, now: Date): Promise<JWTPayload> {
  const { payload } = await jwtVerify(token, keys, {
    issuer: oidc.issuer,
    audience: [...oidc.audience],
    algorithms: [...oidc.algorithms],
    clockTolerance: CLOCK_SKEW_SECONDS,
    requiredClaims: ['exp', 'sub'],
    currentDate: now,
  });
  return payload;
}

/** An address of mail names somebody only where the issuer has seen that it is theirs. */
function nameIn(claims: JWTPayload, claim: string): string | undefined {
  const name = valueAt(claims, claim);
  if (typeof name !== 'string' || !isWrittenName(name)) return undefined;
  return claim === 'email' && claims.email_verified !== true ? undefined : name;
}

function groupsIn(claims: JWTPayload, claim: string): string[] {
  return [valueAt(claims, claim) ?? []]
    .flat()
    .filter((group): group is string => typeof group === 'string' && isWrittenName(group))
    .slice(0, MOST_GROUPS);
}

/** A claim by its name, or, where there is none, by a path such as `realm_access.roles`. */
function valueAt(claims: JWTPayload, claim: string): unknown {
  if (Object.hasOwn(claims, claim)) return claims[claim];
  let value: unknown = claims;
  for (const step of claim.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

function issuerUnavailable(issuer: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'unavailable',
    'issuer-unavailable',
    `The keys of the issuer ${issuer} cannot be fetched at this moment, so nobody knows whether your token is good. Try again later; the log says why.`,
    { cause },
  );
}
