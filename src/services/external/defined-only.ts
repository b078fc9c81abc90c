/** An object whose members that may be undefined are absent instead. */
export type DefinedOnly<Members> = {
  [Name in keyof Members as undefined extends Members[Name] ? never : Name]: Members[Name];
} & { [Name in keyof Members as undefined extends Members[Name] ? Name : never]?: Exclude<Members[Name], undefined> };

/** Leaves out members without a value, as optional settings come from a schema. */
export function definedOnly<Members extends object>(members: Members): DefinedOnly<Members> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as DefinedOnly<Members>;
}
