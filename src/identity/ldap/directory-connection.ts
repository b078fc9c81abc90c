import { connect, isIP, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { Client } from 'ldapts';
import type { LdapConfiguration } from '../../core/identity-configuration.ts';

/** How to reach a directory, with what the configuration refers to read. */
export interface DirectoryAddress extends Pick<LdapConfiguration, 'startTls' | 'timeoutSeconds'> {
  url: string;
  /** PEM; absent: the authorities that Node.js knows. */
  authorities?: string;
}

/**
 * Works with one connection to a directory, encrypted and verified as configured, and closes it. All of it together may take
 * `timeoutSeconds`. The library would connect again by itself where a connection was cut, and after StartTLS send a password over the
 * new one in the clear: so it gets this one connection and no other.
 */
export async function withDirectory<Result>(
  address: DirectoryAddress,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const { protocol, hostname, port } = new URL(address.url);
  const isSecure = protocol === 'ldaps:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const target = { host, port: Number(port === '' ? (isSecure ? 636 : 389) : port) };
  const tls = {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(address.authorities === undefined ? {} : { ca: address.authorities }),
  };
  const sockets: Socket[] = [];
  const only =
    <Opened extends Socket>(open: () => Opened) =>
    (): Opened => {
      if (sockets.length > 0) throw new Error('the connection to the directory was cut');
      const socket = open();
      sockets.push(socket);
      return socket;
    };
  const client = new Client({
    url: address.url,
    // `createSecureConnection` would also be asked to upgrade after StartTLS, which the library does well by itself.
    ...(isSecure
      ? { createSecureConnection: only(() => connectSecurely({ ...tls, ...target })) as typeof connectSecurely }
      : { createConnection: only(() => connect(target)) }),
  });
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`the directory took longer than ${address.timeoutSeconds} seconds`)),
    address.timeoutSeconds * 1000,
  );
  try {
    return await Promise.race([late.promise, secured(client, address, tls).then(work)]);
  } finally {
    clearTimeout(timer);
    for (const socket of sockets) {
      // What still waits for an answer learns of it; nobody waits for that any more.
      socket.on('error', () => undefined);
      socket.destroy();
    }
  }
}

async function secured(client: Client, { startTls }: DirectoryAddress, tls: object): Promise<Client> {
  if (startTls) await client.startTLS({ ...tls });
  return client;
}
