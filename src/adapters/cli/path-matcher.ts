import { posix } from 'node:path';
import { typedPath } from './entry-path.ts';

/**
 * Matches paths of trees against a glob (`*`, `**`, `?`, `[a-z]`, `{a,b}`): names where the pattern has no slash, whole paths
 * where it has one.
 */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const wholePath = pattern.includes('/');
  const glob = wholePath ? Buffer.from(typedPath(pattern), 'latin1').toString('utf8') : pattern;
  const literal = longestLiteral(glob);
  return (path) => {
    const subject = wholePath ? path : path.slice(path.lastIndexOf('/') + 1);
    // Globbing costs a hundred times more than looking for a piece that must be there anyway.
    return subject.includes(literal) && posix.matchesGlob(subject, glob);
  };
}

/** A piece of text that is in everything the glob matches; empty where alternatives make that hard to say. */
function longestLiteral(glob: string): string {
  if (/[{}\\[\]()!+@]/.test(glob)) return '';
  return glob.split(/[*?/]+/).reduce((longest, piece) => (piece.length > longest.length ? piece : longest), '');
}
