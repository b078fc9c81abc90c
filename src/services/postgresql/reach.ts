import { lookup } from 'node:dns/promises';
import { stat } from 'node:fs/promises';
import { connect, isIP } from 'node:net';
import type { CheckList } from '../../core/check-list.ts';
import { messageOf, systemErrorCode } from '../../core/errors.ts';
import { Connection, type ResolveSecret } from './connection.ts';
import type { ConnectionConfiguration } from './connection-schema.ts';

export interface Obstacle {
  message: string;
  advice: string;
}

/** Whether what the connection's references name can be read. @returns undefined where it cannot */
export async function checkSecrets(
  configuration: ConnectionConfiguration,
  resolveSecret: ResolveSecret,
  list: CheckList,
): Promise<Connection | undefined> {
  try {
    const opened = await Connection.open(configuration, resolveSecret);
    await opened.clientOptions(opened.database);
    const hasPassword = configuration.password !== undefined;
    list.ok('secrets', hasPassword ? 'The password can be read.' : 'No password is configured.');
    return opened;
  } catch (error) {
    const advice =
      'Set it where the service runs: a variable in its environment, with which it has to start again, or a file that its account can read.';
    list.failed('secrets', messageOf(error), advice);
    return undefined;
  }
}

/** Whether something answers at the connection's place. */
export async function checkReach(connection: Connection, list: CheckList, signal: AbortSignal): Promise<boolean> {
  const obstacle = await obstacleTo(connection, signal);
  signal.throwIfAborted();
  if (obstacle === undefined) list.ok('server', `${connection.place} answers.`);
  else list.failed('server', obstacle.message, obstacle.advice);
  return obstacle === undefined;
}

/** Why nothing answers at a connection's place, told more exactly than a failed login would; undefined where something does. */
export async function obstacleTo(connection: Connection, signal: AbortSignal): Promise<Obstacle | undefined> {
  if (connection.isSocket) return obstacleToSocket(connection);
  return (await obstacleToName(connection.host)) ?? obstacleToPort(connection, signal);
}

async function obstacleToSocket({ host, port }: Connection): Promise<Obstacle | undefined> {
  const file = `${host}/.s.PGSQL.${port}`;
  try {
    if ((await stat(file)).isSocket()) return undefined;
    return { message: `${file} is no socket.`, advice: 'Correct `socket` and `port`.' };
  } catch (error) {
    const advice =
      systemErrorCode(error) === 'EACCES'
        ? 'Let the user that Holdfast runs as enter that folder.'
        : "Start the server, or correct `socket` (the server's unix_socket_directories) and `port`.";
    return { message: `There is no server at ${file}: ${messageOf(error)}.`, advice };
  }
}

async function obstacleToName(host: string): Promise<Obstacle | undefined> {
  if (isIP(host) !== 0) return undefined;
  try {
    await lookup(host);
    return undefined;
  } catch (error) {
    const advice = 'Correct `host`, or the name server of this machine.';
    return { message: `The name ${host} has no address: ${systemErrorCode(error) ?? messageOf(error)}.`, advice };
  }
}

const LONGEST_WAIT = 10_000;

function obstacleToPort({ host, port, place }: Connection, signal: AbortSignal): Promise<Obstacle | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    const end = (obstacle?: Obstacle): void => {
      socket.destroy();
      resolve(obstacle);
    };
    socket.setTimeout(LONGEST_WAIT, () => {
      const advice =
        'Most likely a firewall drops the packets, or the address is wrong. Open the port for this machine.';
      end({ message: `${place} did not answer in ${LONGEST_WAIT / 1000} s.`, advice });
    });
    socket.once('connect', () => end());
    socket.once('error', (error) => {
      const code = systemErrorCode(error) ?? '';
      const advice =
        code === 'ECONNREFUSED'
          ? "Start the server, or let it listen there: its listen_addresses and port, and the resource's `host` and `port`."
          : 'Look at the address and at the network between here and there.';
      end({ message: `${place} cannot be reached: ${code || messageOf(error)}.`, advice });
    });
  });
}

/** What to do where a connection failed after the server was reached; `message` is what was said. */
export function adviceFor(message: string): string | undefined {
  return ADVICE.find(({ pattern }) => pattern.test(message))?.advice;
}

const ADVICE = [
  {
    pattern: /does not support SSL/,
    advice:
      'Switch TLS on in the server (ssl = on, ssl_cert_file, ssl_key_file); or, where nobody else is on the network between, say `tls: {mode: disable}`.',
  },
  {
    pattern: /self.signed certificate|unable to (verify|get)|issuer certificate|certificate signature failure/i,
    advice: "`tls.ca` is not the authority that signed the server's certificate: name the file with the right one.",
  },
  {
    pattern: /does not match certificate|altname/i,
    advice:
      "The certificate is for another name: set `host` to a name that it has, or have the server's certificate made anew for this one.",
  },
  {
    pattern: /certificate has expired|not yet valid/,
    advice: "Have the server's certificate renewed, and look at both clocks.",
  },
  {
    pattern: /no encryption|SSL off|requires? a valid client certificate|connection requires/i,
    advice:
      'The server takes encrypted connections only: set `tls.mode` to `require` or more, and client certificates if it asks for them.',
  },
  {
    pattern: /password authentication failed/,
    advice:
      'The password that `password` refers to is not the one of the role: ALTER ROLE … PASSWORD, or correct the secret.',
  },
  {
    pattern: /client password must be|no password supplied/,
    advice: 'The server asks for a password: name one by `password`, as `env:NAME` or `file:/path`.',
  },
  {
    pattern: /no pg_hba\.conf entry/,
    advice:
      'Add a line for this role, database and address to the pg_hba.conf of the server, then SELECT pg_reload_conf();',
  },
  { pattern: /role ".*" does not exist/, advice: 'Make the role: docs/postgresql.md has the statements.' },
  {
    pattern: /too many (clients|connections)|remaining connection slots/,
    advice: 'Raise max_connections, or end connections that nobody uses.',
  },
];
