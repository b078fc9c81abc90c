/**
 * A filter with values in the places of `{name}` and `{dn}`, escaped by RFC 4515 section 3, so that no value can say anything but itself.
 * Letters beyond ASCII stay as they are: the library reads an escaped byte as a letter.
 */
export function filterFor(template: string, values: { name?: string; dn?: string }): string {
  return template.replaceAll(/\{(name|dn)\}/g, (_place, which: 'name' | 'dn') => escaped(values[which] ?? ''));
}

function escaped(value: string): string {
  return value.replaceAll(
    /[\p{ASCII}--[A-Za-z0-9]]/gv,
    (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
