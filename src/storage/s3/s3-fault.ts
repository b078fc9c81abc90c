import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';

/** What was tried, for the message of a failure. */
export interface S3Attempt {
  /** `s3://bucket/prefix at https://server` */
  location: string;
  bucket: string;
  /** the S3 action that a policy must allow, such as `s3:PutObject` */
  action: string;
  key?: string;
}

/** What a failed request means for whoever uses the bucket, and what to do about it. Holds nothing of the request's headers. */
export function s3Fault(error: unknown, attempt: S3Attempt): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const answer = answerOf(error);
  const { name } = answer;
  const of = (kind: HoldfastError['kind'], code: string, message: string): HoldfastError =>
    new HoldfastError(kind, code, message, {
      // Of the SDK's errors only this: they hold the request, whose headers are signed.
      cause: new Error(`${name}: ${answer.message}`),
      details: { ...(attempt.key === undefined ? {} : { object: attempt.key }), location: attempt.location },
    });
  const what = attempt.key === undefined ? attempt.location : `${attempt.key} in ${attempt.location}`;

  if (name === 'NoSuchBucket') {
    const message = `There is no bucket "${attempt.bucket}" (${attempt.location}). Make it on the server, or correct the bucket's name, the endpoint and the region in the configuration.`;
    return of('not-found', 'bucket-missing', message);
  }
  if (name === 'NoSuchKey' || (answer.status === 404 && attempt.key !== undefined))
    return of('not-found', 'object-missing', `${attempt.key} is not in the storage.`);
  const refused = refusal(answer, attempt, what) ?? misconfiguration(answer, attempt);
  if (refused !== undefined) return of(...refused);
  if (answer.status === 507 || FULL.test(name))
    return of(
      'unavailable',
      'storage-full',
      'The storage is full. Nothing was lost; free some space or raise the quota of the bucket, then try again.',
    );
  if (answer.status === undefined) {
    const message = `The S3 server of ${attempt.location} cannot be reached or does not answer (${describe(answer)}). Check the endpoint, the network and whether the server runs.`;
    return of('unavailable', 'storage-unreachable', message);
  }
  if (answer.status < 300) {
    const message = `What the S3 server, or what stands between, answered at ${what} cannot be read (${describe(answer)}). Try again later.`;
    return of('unavailable', 'answer-unreadable', message);
  }
  const message = `The S3 server failed at ${what}: ${describe(answer)}. Nothing was lost; try again later, or ask the server's log.`;
  return of('unavailable', 'storage-failed', message);
}

/** Whether the same request may do better a moment later. */
export function mayPass(error: unknown): boolean {
  return error instanceof HoldfastError ? error.kind === 'unavailable' && error.code !== 'storage-full' : true;
}

export function statusOf(error: unknown): number | undefined {
  return answerOf(error).status;
}

type Reason = [kind: HoldfastError['kind'], code: string, message: string];

function refusal({ name, status, message }: Answer, attempt: S3Attempt, what: string): Reason | undefined {
  if (CREDENTIALS_REFUSED.has(name)) {
    const text = `The S3 server of ${attempt.location} does not accept the credentials (${name}). Check the access key and its secret, and whether they are of this server.`;
    return ['denied', 's3-credentials-refused', text];
  }
  if (name === 'CredentialsProviderError' || name === 'CredentialsError') {
    const text = `No credentials for ${attempt.location} were found. Set \`accessKeyId\` and \`secretAccessKey\` there as references (env:NAME or file:/path), or provide those of the AWS SDK (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, an instance's role).`;
    return ['denied', 's3-credentials-missing', text];
  }
  if (name === 'RequestTimeTooSkewed' || name === 'RequestExpired') {
    const text = `The S3 server of ${attempt.location} refuses requests because the clocks of this machine and of the server differ too much. Set both by NTP.`;
    return ['unavailable', 's3-clock-skew', text];
  }
  if (status === 403 || name === 'AccessDenied') {
    const text = `The S3 server refused ${attempt.action} at ${what}${message === '' || message === 'UnknownError' ? '' : ` (${message})`}. Allow it to the access key; docs/s3.md lists what a repository needs.`;
    return ['denied', 'storage-denied', text];
  }
  return undefined;
}

function misconfiguration(answer: Answer, attempt: S3Attempt): Reason | undefined {
  const { name, status, code, message } = answer;
  if (status === 501 && attempt.action === 's3:PutObject') {
    const text = `The S3 server of ${attempt.location} does not implement PUT with If-None-Match, by which a commit is safe from others. Use another server, or a newer version; docs/s3.md tells more.`;
    return ['unsupported', 'storage-not-exclusive', text];
  }
  if (name === 'InvalidBucketName') {
    const text = `"${attempt.bucket}" is not a name that the S3 server of ${attempt.location} allows for a bucket. Correct it in the configuration.`;
    return ['invalid', 's3-options-invalid', text];
  }
  if (WRONG_REGION.has(name) || status === 301 || status === 307) {
    const there = answer.region === undefined ? '' : ` It is in ${answer.region}.`;
    const text = `The bucket "${attempt.bucket}" is in another region than the one that is set, or at another endpoint.${there} Correct \`region\` or \`endpoint\`.`;
    return ['invalid', 's3-wrong-region', text];
  }
  if (message.startsWith('Region is missing')) {
    const text = `No region is known for ${attempt.location}. Set \`region\` (or AWS_REGION), and \`endpoint\` if the bucket is not at AWS.`;
    return ['invalid', 's3-wrong-region', text];
  }
  if (code !== undefined && (code.startsWith('ERR_TLS_') || UNTRUSTED.has(code))) {
    const text = `The certificate of the S3 server of ${attempt.location} is not trusted (${code}). If the server has an authority of its own, name its file in \`caFile\`; otherwise correct the endpoint, for this may be another server.`;
    return ['invalid', 's3-tls-untrusted', text];
  }
  if (code === 'EPROTO' || code?.startsWith('ERR_SSL_') || /HTTP request to an HTTPS server/i.test(message)) {
    const text = `The S3 server of ${attempt.location} speaks HTTP where HTTPS was expected, or the other way round. Correct the endpoint's https:// or http://.`;
    return ['invalid', 's3-tls-mismatch', text];
  }
  if (/content-md5|checksum/i.test(message) && status === 400 && name === 'InvalidRequest') {
    const text = `The bucket "${attempt.bucket}" asks for a checksum header with each upload, as buckets with a default retention do. Set \`uploadChecksums: true\` for it.`;
    return ['invalid', 's3-checksum-required', text];
  }
  return undefined;
}

interface Answer {
  name: string;
  message: string;
  /** errno name or TLS code, where the request did not come through */
  code: string | undefined;
  /** undefined where there was no answer */
  status: number | undefined;
  region: string | undefined;
}

function answerOf(error: unknown): Answer {
  const root = firstCause(error);
  return {
    name: error instanceof Error ? error.name : 'Error',
    message: messageOf(error),
    code: systemErrorCode(error) ?? systemErrorCode(root),
    status: metadataOf(error)?.httpStatusCode,
    region: error instanceof Error && 'Region' in error ? String(error.Region) : undefined,
  };
}

function firstCause(error: unknown): unknown {
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error && current.cause !== undefined; depth++)
    current = current.cause;
  return current;
}

function metadataOf(error: unknown): { httpStatusCode?: number } | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined;
  return error.$metadata as { httpStatusCode?: number };
}

function describe({ name, message, status }: Answer): string {
  const text = message === '' || message === name ? name : `${name}: ${message.split('\n')[0]?.replace(/\.$/, '')}`;
  return status === undefined ? text : `${status} ${text}`;
}

const CREDENTIALS_REFUSED = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
]);
const WRONG_REGION = new Set([
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
]);
const UNTRUSTED = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
const FULL = /StorageFull|QuotaExceeded|InsufficientStorage|MinFreeDrive/;
