import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Storage } from '../src/core/ports/storage.ts';
import { openStorage } from '../src/storage/s3/s3-storage.ts';
import { MinioServer, SECRET_KEY, SKIP_WITHOUT_MINIO } from './minio-server.ts';
import { keepsTheContractOfStorages } from './storage-contract.ts';

describe('storage in a bucket', { skip: SKIP_WITHOUT_MINIO }, () => {
  let minio: MinioServer;
  let bucket: string;
  let storage: Storage;
  before(async () => {
    minio = await MinioServer.start();
    bucket = await minio.createBucket();
    storage = await openStorage({ ...minio.options(bucket), prefix: 'backups/of-tests' });
  });
  after(async () => {
    await storage?.close();
    await minio?.remove();
  });

  keepsTheContractOfStorages(() => storage);

  test('no secret is in what travels to other threads', () => {
    assert.ok(!JSON.stringify(storage.reopen).includes(SECRET_KEY));
  });
});
