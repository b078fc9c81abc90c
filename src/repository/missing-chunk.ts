import { HoldfastError } from '../core/errors.ts';

export function chunkMissing(id: Uint8Array): HoldfastError {
  const hex = Buffer.from(id).toString('hex');
  return new HoldfastError(
    'damaged',
    'chunk-missing',
    `Chunk ${hex} is in no pack that the index knows. Run \`holdfast verify --rebuild-index\`; if it stays missing, \`holdfast verify\` names the backups that are hit.`,
    {
      details: { chunk: hex },
    },
  );
}
