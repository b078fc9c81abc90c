/**
 * True for white space and comments between statements that every client reads alike: printable ASCII without backslashes. Others are left
 * out; nothing depends on them.
 */
export function isHarmlessComment(bytes: Buffer): boolean {
  for (const byte of bytes) {
    const isPrintable = (byte >= 0x20 && byte <= 0x7e && byte !== 0x5c) || byte === 0x0a || byte === 0x09;
    if (!isPrintable) return false;
  }
  return true;
}
