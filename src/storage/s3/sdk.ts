/** What is used of the SDK, as a module that is imported when a bucket is opened: its packages are large. */
export {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
export { StandardRetryStrategy } from '@smithy/core/retry';
export { NodeHttpHandler } from '@smithy/node-http-handler';
