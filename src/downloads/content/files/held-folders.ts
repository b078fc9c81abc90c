import type { ByteString } from '../../../core/tree-entry.ts';

/** Folders whose headers are given when something below them is. A folder comes before what is in it; one that is left is forgotten. */
export class HeldFolders {
  #folders: { name: ByteString; header: Buffer }[] = [];

  /** The next entry has come. */
  leave(name: ByteString): void {
    while (this.#folders.length > 0 && !isBelow(name, this.#folders.at(-1)?.name ?? '')) this.#folders.pop();
  }

  hold(name: ByteString, header: Buffer): void {
    this.#folders.push({ name, header });
  }

  /** What is to be given before something that is below all of them. */
  take(): Buffer[] {
    return this.#folders.splice(0).map(({ header }) => header);
  }
}

function isBelow(name: ByteString, folder: ByteString): boolean {
  return folder === '' || name.startsWith(`${folder}/`);
}
