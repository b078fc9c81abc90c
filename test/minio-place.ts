import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where `npm run provide-minio` puts a server. */
export const MINIO_FOLDER = fileURLToPath(new URL('../node_modules/.cache/minio', import.meta.url));
export const MINIO = path.join(MINIO_FOLDER, 'minio');
/** Holds the id of the process that builds one, perhaps in the background. */
export const MINIO_BUILDING = path.join(MINIO_FOLDER, 'building');
