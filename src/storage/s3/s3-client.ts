import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { isMainThread } from 'node:worker_threads';
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { trustedAuthorities } from '../../process/trusted-authorities.ts';

/** Where a bucket is and who asks. Structured-cloneable: secrets are references (`env:NAME`, `file:/path`), never values. */
export interface S3ClientOptions {
  bucket: string;
  /** URL of the server; default: AWS in `region` */
  endpoint?: string;
  /** default: what the SDK finds (`AWS_REGION`, its configuration files); `us-east-1` where an endpoint is named */
  region?: string;
  /** `https://server/bucket/key` instead of `https://bucket.server/key`; default: where an endpoint is named */
  pathStyle?: boolean;
  /** References. Where they are missing, the SDK's own chain is asked: environment, profiles, web identity, instance. */
  accessKeyId?: string;
  secretAccessKey?: string;
  sessionToken?: string;
  /** PEM file of authorities that are trusted beside the usual ones */
  caFile?: string;
  /** false: any certificate is taken. Only for trying things out. */
  verifyTls?: boolean;
  /** CRC-32 of each upload in a header, which buckets with a default retention ask for */
  uploadChecksums?: boolean;
  /** at once; more requests wait. Default 16 */
  sockets?: number;
  /** of one request, the first one included. Default 10, of which the last waits come to about half a minute */
  attempts?: number;
  /** seconds until a connection must stand; default 10 */
  connectSeconds?: number;
  /** seconds that a connection may say nothing in the middle of a request; default 60 */
  idleSeconds?: number;
}

export type SecretResolver = (reference: string) => Promise<string>;

export const DEFAULT_SOCKETS = 16;

/**
 * The configured client of one bucket's server. The SDK is loaded when this is called, not before: it takes longer than all
 * else of a small command.
 *
 * Retries are the SDK's standard ones (full jitter up to 20 s, a budget for storms). Checksums of the SDK's newer versions
 * are left away unless asked for, because several servers refuse them; a signed request holds the SHA-256 of its body anyway.
 *
 * @throws HoldfastError `s3-options-invalid`, `s3-ca-unreadable` (invalid)
 */
export async function createS3Client(options: S3ClientOptions, resolveSecret: SecretResolver): Promise<S3Client> {
  const [{ S3Client, StandardRetryStrategy, NodeHttpHandler }, ca] = await Promise.all([
    import('./sdk.ts'),
    authorities(options.caFile),
  ]);
  const { sockets = DEFAULT_SOCKETS, connectSeconds = 10, idleSeconds = 60 } = options;
  const attempts = options.attempts ?? 10;
  let answered = !isMainThread;
  const agent = { keepAlive: true, maxSockets: sockets };
  const client = new S3Client({
    ...addressing(options),
    ...credentials(options, resolveSecret),
    // A server that never answered is more likely named wrongly than out of order: whoever waits for a command learns it soon.
    retryStrategy: new StandardRetryStrategy(async () =>
      answered ? attempts : Math.min(attempts, ATTEMPTS_UNANSWERED),
    ),
    requestChecksumCalculation: options.uploadChecksums === true ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: connectSeconds * 1000,
      socketTimeout: idleSeconds * 1000,
      // Agents that are given ready-made are used for all requests; of settings alone, the SDK makes others for some.
      httpAgent: new Agent(agent),
      // Said in so many words, because an environment variable of Node.js turns the default off for a whole process.
      httpsAgent: new SecureAgent({
        ...agent,
        rejectUnauthorized: options.verifyTls !== false,
        ...(ca === undefined ? {} : { ca }),
      }),
    }),
  });
  client.middlewareStack.add(
    (next) => async (input) => {
      const result = await next(input);
      answered = true;
      return result;
    },
    // Next to the connection: before what turns some answers into errors.
    { step: 'deserialize', name: 'wasAnswered', priority: 'low' },
  );
  return client;
}

const ATTEMPTS_UNANSWERED = 3;

function addressing(options: S3ClientOptions): Pick<S3ClientConfig, 'endpoint' | 'region' | 'forcePathStyle'> {
  const { endpoint, region = endpoint === undefined ? undefined : 'us-east-1' } = options;
  if (endpoint !== undefined && !/^https?:\/\/[^/?#@]+\/?$/.test(endpoint)) {
    throw new HoldfastError(
      'invalid',
      's3-options-invalid',
      'The endpoint of an S3 server is a URL of a server alone, such as https://minio.example:9000. Bucket, prefix and credentials have settings of their own.',
    );
  }
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
  };
}

function credentials(options: S3ClientOptions, resolveSecret: SecretResolver): Pick<S3ClientConfig, 'credentials'> {
  const { accessKeyId, secretAccessKey, sessionToken } = options;
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined) return {};
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new HoldfastError(
      'invalid',
      's3-options-invalid',
      'An S3 bucket needs both `accessKeyId` and `secretAccessKey`, or neither: then the usual places of the AWS SDK are asked.',
    );
  }
  return {
    credentials: async () => ({
      accessKeyId: await resolveSecret(accessKeyId),
      secretAccessKey: await resolveSecret(secretAccessKey),
      ...(sessionToken === undefined ? {} : { sessionToken: await resolveSecret(sessionToken) }),
      // Asked for again then, so that a key that was changed in its file is found.
      expiration: new Date(Date.now() + CREDENTIALS_FOR),
    }),
  };
}

/** Milliseconds; the SDK asks again five minutes before. */
const CREDENTIALS_FOR = 20 * 60_000;

async function authorities(file: string | undefined): Promise<string[] | undefined> {
  if (file === undefined) return undefined;
  try {
    return await trustedAuthorities(file);
  } catch (cause) {
    throw new HoldfastError('invalid', 's3-ca-unreadable', `For the S3 server: ${messageOf(cause)}`, { cause });
  }
}
