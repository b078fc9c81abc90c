import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { PrefixPermutation } from '../format-preserving/prefix-permutation.ts';
import { SymbolPermutation } from '../format-preserving/symbol-permutation.ts';
import type { Transformer } from '../transformer.ts';
import { purposeKey } from '../variant-keys.ts';
import { bytesOf, byteText } from './byte-text.ts';
import { formatKey } from './formats.ts';

type NoOptions = Record<string, never>;

export const ip: Transformer<NoOptions> = {
  name: 'ip',
  description:
    'An address of the same kind, IPv4 or IPv6: addresses that share a prefix still share one of that length (Crypto-PAn), a netmask stays.',
  options: z.strictObject({}),
  facts: (_options, column) => ({
    accepts: ['inet', 'text', 'bytes'],
    // As text, one IPv6 address has many spellings, and all come to the same.
    isInjective: column.family !== 'text',
    mayGiveNull: false,
    maxLength: column.family === 'bytes' ? 16 : 43,
    isTraceable: false,
  }),
  create: (_options, { key, column }) => {
    const permutations = {
      4: new PrefixPermutation(purposeKey(key, 'ipv4')),
      16: new PrefixPermutation(purposeKey(key, 'ipv6')),
    };
    const isNetwork = column.type === 'cidr';
    if (column.family === 'bytes') {
      return (value) => {
        const bytes = bytesOf(value);
        if (bytes?.length !== 4 && bytes?.length !== 16) throw new RangeError('The bytes of an address were expected.');
        return byteText(permutations[bytes.length === 4 ? 4 : 16].of(bytes));
      };
    }
    return (value) => {
      if (value === '') return '';
      const found = value.length > 64 ? null : /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(value);
      const [, address = '', mask] = found ?? [];
      const bytes = addressBytes(address);
      if (mask !== undefined && Number(mask) > bytes.length * 8) throw new RangeError('A netmask is too long.');
      const masked = permutations[bytes.length === 4 ? 4 : 16].of(bytes);
      if (isNetwork && mask !== undefined) clearHost(masked, Number(mask));
      return (masked.length === 4 ? masked.join('.') : ipv6Text(masked)) + (mask === undefined ? '' : `/${mask}`);
    };
  },
};

export const mac: Transformer<NoOptions> = {
  name: 'mac',
  description: 'A hardware address in the same notation, of 6 or 8 bytes (format-preserving encryption).',
  options: z.strictObject({}),
  facts: (_options, column) => ({
    accepts: ['mac', 'text'],
    isInjective: column.family === 'mac',
    mayGiveNull: false,
    maxLength: 'same',
    isTraceable: false,
  }),
  create: (_options, { key }) => {
    const permutation = new SymbolPermutation(formatKey(key));
    return (value) => {
      if (value === '') return '';
      const figures = value.length > 32 ? '' : value.replace(/[:.-]/g, '');
      if (!/^(?:[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16})$/.test(figures))
        throw new RangeError('A hardware address was expected.');
      const symbols = [...figures].map((figure) => Number.parseInt(figure, 16));
      const masked = permutation.of(symbols, new Array<number>(symbols.length).fill(16));
      const text = masked.map((symbol) => symbol.toString(16)).join('');
      const written = /[A-F]/.test(figures) ? text.toUpperCase() : text;
      let at = 0;
      return value.replace(/[0-9A-Fa-f]/g, () => written.charAt(at++));
    };
  },
};

function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split('.').map(Number));
  if (!isIPv6(address)) throw new RangeError('An address was expected.');
  const last = address.slice(address.lastIndexOf(':') + 1);
  const text = isIPv4(last) ? address.slice(0, -last.length) + groupsOfIPv4(last) : address;
  const [before = '', after] = text.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const groups = [...head, ...new Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return Uint8Array.from(
    groups.map((group) => Number.parseInt(group, 16)).flatMap((group) => [group >> 8, group & 255]),
  );
}

function groupsOfIPv4(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function clearHost(bytes: Uint8Array, prefix: number): void {
  for (let index = 0; index < bytes.length; index++) {
    const kept = Math.min(8, Math.max(0, prefix - 8 * index));
    bytes[index] = (bytes[index] ?? 0) & (0xff00 >> kept) & 0xff;
  }
}

/** RFC 5952: the longest run of zero groups as `::`. */
function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0));
  let [longestAt, longest] = [0, 1];
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > longest) [longestAt, longest] = [at, length];
  }
  const hex = groups.map((group) => group.toString(16));
  if (longest < 2) return hex.join(':');
  return `${hex.slice(0, longestAt).join(':')}::${hex.slice(longestAt + longest).join(':')}`;
}
