import { checkJsonPaths } from '../masking/json/json-path.ts';
import { compilePredicate } from '../predicate/compile-predicate.ts';
import type { PolicyLanguage } from './compile/compilation.ts';

/** The languages of conditions and paths within a policy. */
export const POLICY_LANGUAGE: PolicyLanguage = {
  checkPredicate: (predicate, familyOf) => void compilePredicate(predicate, familyOf, () => 0),
  checkJsonPaths,
};
