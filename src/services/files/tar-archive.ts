import type { ArchiveFile } from './archive-files.ts';
import { PieceJoiner } from './piece-joiner.ts';
import { dataBytes, paddingAfter, TAR_END, tarHeader } from './tar-header.ts';

/** A tar archive of files, as they come. Sockets, which no archive can hold, are left out and told of. */
export async function* tarArchive(
  files: AsyncIterable<ArchiveFile>,
  leaveOut: (file: ArchiveFile) => void,
): AsyncGenerator<Uint8Array> {
  const joiner = new PieceJoiner();
  for await (const file of files) {
    const { entry, linkTo, sparse } = file;
    if (entry.type === 'socket') {
      leaveOut(file);
      continue;
    }
    yield* joiner.add(tarHeader(file));
    if (entry.type !== 'file' || linkTo !== undefined) continue;
    for await (const piece of file.bytes()) yield* joiner.add(piece);
    yield* joiner.add(paddingAfter(sparse === undefined ? (entry.size ?? 0) : dataBytes(sparse)));
  }
  yield* joiner.add(TAR_END);
  yield* joiner.end();
}
