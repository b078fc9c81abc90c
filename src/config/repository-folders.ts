import type { Configuration } from '../core/configuration.ts';

/** Where repositories and copies of them lie on this machine, absolute. */
export function repositoryFolders({ repositories, copies }: Configuration): string[] {
  return [...repositories, ...copies].flatMap(({ storage: { kind, options } }) =>
    kind === 'local' && typeof options.folder === 'string' ? [options.folder] : [],
  );
}
