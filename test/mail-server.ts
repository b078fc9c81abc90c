import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { MailConfiguration } from '../src/core/notification-configuration.ts';
import { createMailCourier } from '../src/notifiers/mail/mail-courier.ts';
import { certificate } from './certificate.ts';

/** Of the user `holdfast`. */
export const MAIL_PASSWORD = 'hunter2-of-the-mail';

export const MAIL: MailConfiguration = {
  server: 'smtp://127.0.0.1',
  plain: false,
  user: 'holdfast',
  password: 'env:MAIL_PASSWORD',
  from: 'Holdfast <holdfast@example.org>',
  to: ['ops@example.org'],
  timeoutSeconds: 30,
};

/** A server of SMTP on a free port of loopback that remembers mails. It goes with the test. */
export class MailServer {
  readonly mails: { from: string; to: string[]; content: string; isSecure: boolean; user: unknown }[] = [];
  readonly users: string[] = [];
  readonly #folder: string;
  readonly #isSecure: boolean;
  #port = 0;

  private constructor(folder: string, isSecure: boolean) {
    this.#folder = folder;
    this.#isSecure = isSecure;
  }

  static async start(context: TestContext, options: SMTPServerOptions): Promise<MailServer> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-mail-'));
    context.after(() => rm(folder, { recursive: true, force: true }));
    const server = new MailServer(folder, options.secure === true);
    const listening = new SMTPServer({
      ...certificate(folder),
      authOptional: true,
      ...options,
      onAuth: ({ username = '', password }, _session, done) => {
        server.users.push(username);
        if (username === 'holdfast' && password === MAIL_PASSWORD) done(null, { user: username });
        else done(new Error(`What is ${password}?`));
      },
      onRcptTo: ({ address }, _session, done) => {
        const responseCode = { 'unknown@example.org': 550, 'busy@example.org': 450 }[address];
        done(responseCode === undefined ? null : Object.assign(new Error('No.'), { responseCode }));
      },
      onData: (stream, { envelope, secure, user }, done) => {
        void text(stream).then((content) => {
          const from = envelope.mailFrom === false ? '' : (envelope.mailFrom?.address ?? '');
          const to = envelope.rcptTo.map(({ address }) => address);
          server.mails.push({ from, to, content, isSecure: secure, user });
          done();
        });
      },
    });
    listening.on('error', () => undefined);
    listening.listen(0, '127.0.0.1');
    await once(listening.server, 'listening');
    context.after(() => new Promise<void>((resolve) => listening.close(() => resolve())));
    server.#port = (listening.server.address() as AddressInfo).port;
    return server;
  }

  get address(): string {
    return `${this.#isSecure ? 'smtps' : 'smtp'}://127.0.0.1:${this.#port}`;
  }

  /** The file of its own certificate. */
  get authorities(): string {
    return path.join(this.#folder, 'certificate.pem');
  }

  courier(configuration: { [Name in keyof MailConfiguration]?: MailConfiguration[Name] | undefined } = {}) {
    const full = {
      ...MAIL,
      server: this.address,
      caFile: this.authorities,
      ...configuration,
    };
    return createMailCourier(full as MailConfiguration, async () => MAIL_PASSWORD);
  }
}
