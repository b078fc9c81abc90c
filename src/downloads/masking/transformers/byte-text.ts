/** Bytes as dumps write them: `\x00ff`. Undefined for what is none. */
export function bytesOf(text: string): Buffer | undefined {
  return text.startsWith('\\x') && text.length % 2 === 0 && /^\\x[0-9A-Fa-f]*$/.test(text)
    ? Buffer.from(text.slice(2), 'hex')
    : undefined;
}

export function byteText(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes).toString('hex')}`;
}
