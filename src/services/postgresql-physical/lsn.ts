/** Positions in the WAL as PostgreSQL writes them: `high/low`, both hexadecimal. */
export function lsnValue(text: string): bigint {
  const [high = '0', low = '0'] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}
