/** Why a policy and a content do not go together: the variant is then not made at all. */
export interface PolicyProblem {
  code: PolicyProblemCode;
  table?: string;
  column?: string;
  /** What is wrong, in a sentence. Never a value of the data. */
  message: string;
  /** What to write, in a sentence. */
  suggestion: string;
}

export type PolicyProblemCode =
  /** The content has what the policy does not name. */
  | 'table-not-named'
  | 'column-not-named'
  /** The policy names what the content does not have. */
  | 'table-matches-nothing'
  | 'column-matches-nothing'
  | 'pattern-ambiguous'
  | 'table-only-dropped'
  | 'type-changed'
  | 'generated-column'
  | 'no-longer-generated'
  /** The rule cannot be done. */
  | 'transformer-unknown'
  | 'domain-ambiguous'
  | 'options-invalid'
  | 'type-not-accepted'
  | 'null-not-allowed'
  | 'too-long'
  | 'value-not-allowed'
  | 'uniqueness-lost'
  | 'reads-unknown-column'
  | 'reads-in-a-circle'
  | 'derive-not-possible'
  | 'condition-invalid'
  /** Rows would refer to nothing. */
  | 'foreign-key-differs'
  | 'foreign-key-target-empty'
  | 'parent-dropped'
  | 'unless-breaks-references'
  /** The policy says nothing of this kind of content. */
  | 'document-not-named'
  | 'file-not-named'
  /** Of `checkKeptColumns`: the values of a kept column look personal. */
  | 'personal-data-kept';
