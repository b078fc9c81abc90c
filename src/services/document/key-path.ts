/**
 * How a delta names a place in a document: `users[1].address.city`. A step is a member's name or, in brackets, an array's
 * index counted from 0; `''` is the document itself. A name that is empty or holds a dot, a bracket, a quote, a backslash or
 * a control character stands as a JSON string in brackets: `hosts["db.example.org"].ports[0]`.
 */
export type KeyPath = readonly (string | number)[];

/** Every path has one text, and every text at most one path. */
export function formatKeyPath(path: KeyPath): string {
  let text = '';
  for (const step of path) text = appendStep(text, step);
  return text;
}

/** Lengthens the text of a path by one step. */
export function appendStep(text: string, step: string | number): string {
  if (typeof step === 'number') return `${text}[${step}]`;
  if (!PLAIN_NAME.test(step)) return `${text}[${JSON.stringify(step)}]`;
  return text === '' ? step : `${text}.${step}`;
}

/** @returns undefined for a text that `formatKeyPath` never gives */
export function parseKeyPath(text: string): KeyPath | undefined {
  const path: (string | number)[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < text.length) {
    const step = STEP.exec(text);
    if (step === null) return undefined;
    const [, name, index, quoted] = step;
    if (name !== undefined) path.push(name);
    else if (index !== undefined) path.push(Number(index));
    else path.push(unquote(quoted) ?? '');
  }
  return formatKeyPath(path) === text ? path : undefined;
}

function unquote(quoted: string | undefined): string | undefined {
  try {
    return JSON.parse(quoted ?? '');
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: names that hold them are quoted.
const PLAIN_NAME = /^[^.[\]"\\\u0000-\u001f]+$/;
const STEP = /\.?([^.[\]"\\]+)|\[(\d+)\]|\[("[^"\\]*(?:\\.[^"\\]*)*")\]/y;
