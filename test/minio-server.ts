import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, HeadBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { createS3Client, type S3ClientOptions } from '../src/storage/s3/s3-client.ts';
import { freePort } from './free-port.ts';
import { GoServer } from './go-server.ts';
import { spawnServer } from './spawned-server.ts';

const minio = new GoServer('minio');

export const SKIP_WITHOUT_MINIO = await minio.skip();

export const ACCESS_KEY = 'tests-of-holdfast';
export const SECRET_KEY = 'sup3r-secret-of-tests';
process.env.TEST_S3_ACCESS_KEY = ACCESS_KEY;
process.env.TEST_S3_SECRET_KEY = SECRET_KEY;

/** A private server in a temporary folder. */
export class MinioServer {
  readonly folder: string;
  readonly endpoint: string;
  readonly port: number;
  readonly #child: ChildProcess;
  #buckets = 0;

  private constructor(folder: string, port: number, scheme: string, child: ChildProcess) {
    this.folder = folder;
    this.port = port;
    this.endpoint = `${scheme}://127.0.0.1:${port}`;
    this.#child = child;
  }

  /** @param certificates folder with `public.crt` and `private.key`, for a server that speaks TLS */
  static async start(certificates?: string): Promise<MinioServer> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-minio-'));
    const [port, consolePort] = [await freePort(), await freePort()];
    const data = path.join(folder, 'data');
    const words = ['server', data, '--quiet', '--address', `127.0.0.1:${port}`];
    const child = spawnServer(
      minio.program,
      [
        ...words,
        ...['--console-address', `127.0.0.1:${consolePort}`],
        ...['--certs-dir', certificates ?? path.join(folder, 'none')],
      ],
      {
        stdio: 'ignore',
        env: {
          PATH: process.env.PATH,
          HOME: folder,
          MINIO_ROOT_USER: ACCESS_KEY,
          MINIO_ROOT_PASSWORD: SECRET_KEY,
          MINIO_BROWSER: 'off',
          MINIO_UPDATE: 'off',
          MINIO_CALLHOME_ENABLE: 'off',
        },
      },
    );
    const server = new MinioServer(folder, port, certificates === undefined ? 'http' : 'https', child);
    await server.#ready(certificates === undefined ? undefined : path.join(certificates, 'public.crt'));
    return server;
  }

  /** How to reach a bucket. @param endpoint of a proxy in front of the server */
  options(bucket: string, more: Partial<S3ClientOptions> = {}): S3ClientOptions {
    return {
      bucket,
      endpoint: this.endpoint,
      accessKeyId: 'env:TEST_S3_ACCESS_KEY',
      secretAccessKey: 'env:TEST_S3_SECRET_KEY',
      ...more,
    };
  }

  /** A new, empty bucket's name. */
  async createBucket(more: { objectLock?: boolean } = {}): Promise<string> {
    const bucket = `bucket-${++this.#buckets}-${randomBytes(3).toString('hex')}`;
    const client = await this.client();
    await client.send(
      new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: more.objectLock === true }),
    );
    client.destroy();
    return bucket;
  }

  async client(more: Partial<S3ClientOptions> = {}): Promise<S3Client> {
    return createS3Client(this.options('unused', more), async (reference) => process.env[reference.slice(4)] ?? '');
  }

  async remove(): Promise<void> {
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  async #ready(caFile: string | undefined): Promise<void> {
    const client = await this.client({ attempts: 1, ...(caFile === undefined ? {} : { caFile }) });
    for (const until = Date.now() + 60_000; ; await sleep(100)) {
      const answer = await client
        .send(new HeadBucketCommand({ Bucket: 'none' }))
        .then(() => 200)
        .catch((error: { $metadata?: { httpStatusCode?: number } }) => error.$metadata?.httpStatusCode);
      if (answer === 404) break;
      if (Date.now() > until || this.#child.exitCode !== null) throw new Error('MinIO did not start');
    }
    client.destroy();
  }
}
