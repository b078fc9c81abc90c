/** What a caller without good credentials is asked for: browsers and curl know what to do with it. */
export const CHALLENGES = ['Basic realm="holdfast", charset="UTF-8"', 'Bearer realm="holdfast"'];

/** The same for credentials that were shown and are not good (RFC 6750 section 3.1). */
export const REPEATED_CHALLENGES = [CHALLENGES[0] ?? '', `${CHALLENGES[1]}, error="invalid_token"`];
