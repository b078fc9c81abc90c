import { BlockList, isIP } from 'node:net';
import { HoldfastError } from '../../core/errors.ts';

/** Of the process, as far as it names proxies: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in capitals or not. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

export interface WebhookProxy {
  /** Host and port, for messages: its address may hold a password. */
  place: string;
  protocol: 'http:' | 'https:';
  host: string;
  port: number;
  /** What it is to be told: the password, where it asks for one. */
  headers: { 'proxy-authorization'?: string };
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * The proxy by which an address is reached, as the environment has it. As curl and Go do, small letters come first, `NO_PROXY` names
 * domains with all below them, addresses and networks (CIDR), or `*`; this machine itself is never reached by a proxy.
 * @throws HoldfastError `proxy-invalid` (invalid), without the address of the proxy
 */
export function proxyFor(url: URL, environment: ProxyEnvironment): WebhookProxy | undefined {
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const setting = settingOf(environment, name);
  const host = withoutBrackets(url.hostname).replace(/\.$/, '');
  if (setting === '' || isLoopback(host)) return undefined;
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  if (
    settingOf(environment, 'NO_PROXY')
      .split(/[\s,]+/)
      .some((entry) => covers(entry, host, port))
  )
    return undefined;
  const address = setting.includes('://') ? setting : `http://${setting}`;
  if (!isUsable(address)) {
    const message = `What ${name} holds is no address such as http://proxy.example.org:3128.`;
    throw new HoldfastError('invalid', 'proxy-invalid', message);
  }
  return proxyAt(new URL(address));
}

function proxyAt({ protocol, host, hostname, port, username, password }: URL): WebhookProxy {
  const isSecure = protocol === 'https:';
  const account = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    place: host,
    protocol: isSecure ? 'https:' : 'http:',
    host: withoutBrackets(hostname),
    port: port === '' ? (isSecure ? 443 : 80) : Number(port),
    headers: account === ':' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(account).toString('base64')}` },
  };
}

/** Of an address of IPv6. */
function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function settingOf(environment: ProxyEnvironment, name: string): string {
  return (environment[name.toLowerCase()] ?? environment[name] ?? '').trim();
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || isAmong(LOOPBACK, host);
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const network = /^(.+)\/(\d{1,3})$/.exec(entry);
  if (network !== null) return isInNetwork(host, network[1] ?? '', Number(network[2]));
  const [, name = entry, ofPort = port] = isIP(entry) === 0 ? (/^(.*?):(\d+)$/.exec(entry) ?? []) : [];
  const domain = withoutBrackets(name)
    .replace(/^\*?\./, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (domain === '' || ofPort !== port) return false;
  return host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`));
}

function isInNetwork(host: string, network: string, bits: number): boolean {
  const version = isIP(network);
  if (version === 0 || bits > (version === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, bits, version === 4 ? 'ipv4' : 'ipv6');
  return isAmong(list, host);
}

function isAmong(list: BlockList, host: string): boolean {
  const version = isIP(host);
  return version !== 0 && list.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

/** A password with a bare `%` cannot be read. */
function isUsable(address: string): boolean {
  if (!/^https?:\/\/[^/]/i.test(address) || !URL.canParse(address)) return false;
  const { username, password } = new URL(address);
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}
