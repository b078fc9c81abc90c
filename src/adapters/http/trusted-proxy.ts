import { BlockList, isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { HoldfastError } from '../../core/errors.ts';
import type { ProxyConfiguration } from '../../core/identity-configuration.ts';
import type { Credentials } from '../../core/ports/identity-provider.ts';

/** Bytes of all groups' names together. */
const LONGEST_GROUPS = 16_384;

/** What is believed of reverse proxies: `X-Forwarded-For` of all that are configured, and whose callers they are where they say so. */
export class TrustedProxy {
  readonly #configuration: ProxyConfiguration;
  readonly #addresses = new BlockList();

  constructor(configuration: ProxyConfiguration = { addresses: [] }) {
    this.#configuration = configuration;
    for (const each of configuration.addresses) {
      const [address = '', prefix] = each.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      if (prefix === undefined) this.#addresses.addAddress(address, family);
      else this.#addresses.addSubnet(address, Number(prefix), family);
    }
  }

  /** Whether an address is one of the configured ones; what is no address is none. */
  readonly includes = (address: string | undefined): boolean => {
    const version = isIP(address ?? '');
    return address !== undefined && version !== 0 && this.#addresses.check(address, version === 6 ? 'ipv6' : 'ipv4');
  };

  /**
   * The caller as the proxy names it; undefined where it names nobody or where the request comes from elsewhere.
   * @throws HoldfastError `proxy-identity-ambiguous` (invalid) where a header came twice: one of them is not the proxy's
   */
  callerOf(request: FastifyRequest): Credentials | undefined {
    const { userHeader, groupsHeader, secretHeader } = this.#configuration;
    if (userHeader === undefined || !this.includes(request.socket.remoteAddress)) return undefined;
    const name = onlyValue(request, userHeader);
    if (name === undefined || name === '') return undefined;
    const groups = groupsHeader === undefined ? '' : (onlyValue(request, groupsHeader) ?? '');
    const secret = secretHeader === undefined ? undefined : onlyValue(request, secretHeader);
    return {
      kind: 'asserted',
      name,
      groups: groups
        .slice(0, LONGEST_GROUPS)
        .split(',')
        .map((group) => group.trim())
        .filter((group) => group !== ''),
      ...(secret === undefined ? {} : { secret }),
    };
  }
}

/** Node.js reads headers as Latin-1; proxies write UTF-8. */
function onlyValue(request: FastifyRequest, header: string): string | undefined {
  const { rawHeaders } = request.raw;
  const values = rawHeaders.filter(
    (_value, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === header.toLowerCase(),
  );
  if (values.length > 1) {
    const message = `The header ${header} came ${values.length} times. The proxy must replace what callers send, not add to it.`;
    throw new HoldfastError('invalid', 'proxy-identity-ambiguous', message);
  }
  const [value] = values;
  if (value === undefined) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1')).trim();
  } catch (cause) {
    const message = `The header ${header} is not written in UTF-8.`;
    throw new HoldfastError('invalid', 'proxy-identity-ambiguous', message, { cause });
  }
}
