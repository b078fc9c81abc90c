import { findShadowedPath, parseJsonPath } from '../masking/json/json-path.ts';
import { compilePredicate } from '../predicate/compile-predicate.ts';
import type { PolicyLanguage } from './compile/compilation.ts';

/** The languages of conditions and paths within a policy. */
export const POLICY_LANGUAGE: PolicyLanguage = {
  checkPredicate: (predicate, familyOf) => void compilePredicate(predicate, familyOf, () => 0),
  checkJsonPaths: (paths) => {
    const found = findShadowedPath(paths.map(parseJsonPath));
    if (found === undefined) return;
    const [path, by] = [paths[found.shadowed], paths[found.by]];
    throw new Error(`${path} can never count, because ${by} stands before it and names all that it names.`);
  },
};
