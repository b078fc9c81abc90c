/** Text as a scalar of YAML that fits into a line and between braces. */
export function yamlText(text: string): string {
  const isPlain = /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(text) && !/^(null|true|false|y|n|yes|no|on|off)$/i.test(text);
  if (isPlain) return text;
  // JSON is YAML, but for characters that YAML does not print.
  return JSON.stringify(text).replace(
    UNPRINTED,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Text for the end of a line. */
export function commentText(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?').slice(0, 300);
}

const UNPRINTED = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;
