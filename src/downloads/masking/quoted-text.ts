/** Where a part in double quotes ends, with a backslash before what is meant as it is: index behind the closing quote; -1: there is none. @param at of the opening quote */
export function quotedEnd(text: string, at: number): number {
  for (let index = at + 1; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) return index + 1;
    if (code === BACKSLASH) index++;
  }
  return -1;
}

export function unescaped(text: string): string {
  return text.includes('\\') ? text.replaceAll(/\\(.)/gsu, '$1') : text;
}

export function inQuotes(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
