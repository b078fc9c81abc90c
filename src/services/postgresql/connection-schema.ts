import { z } from 'zod';

const SECRET_REFERENCE = /^(env:.+|file:\/.+)$/;
const URL_ADVICE = 'must be postgresql://user@host:port/database; password and TLS have fields of their own';
const file = z.string().startsWith('/', 'must be an absolute path');

const tls = z
  .strictObject({
    mode: z.enum(['disable', 'require', 'verify-ca', 'verify-full']).optional(),
    ca: file.optional(),
    certificate: file.optional(),
    key: file.optional(),
  })
  .check(({ value, issues }) => {
    const tell = (path: string, message: string) =>
      issues.push({ code: 'custom', input: value, path: [path], message });
    if (value.mode?.startsWith('verify') && value.ca === undefined) tell('ca', `is needed by mode ${value.mode}`);
    if ((value.certificate === undefined) !== (value.key === undefined))
      tell(value.key === undefined ? 'key' : 'certificate', 'is missing: a client certificate has two files');
  });

/** How to reach a server. The password is a reference only, so that none stands in the catalogue or in a backup. */
export const connectionSchema = z
  .strictObject({
    /** `postgresql://user@host:port/database`, without password and parameters. */
    url: z.string().refine(isUsableUrl, URL_ADVICE).optional(),
    host: z.string().min(1).optional(),
    port: z.int().min(1).max(65_535).optional(),
    /** Folder of the server's socket. */
    socket: file.optional(),
    user: z.string().min(1).optional(),
    password: z
      .string()
      .regex(SECRET_REFERENCE, 'must be a reference, `env:NAME` or `file:/path`: no password stands in a configuration')
      .optional(),
    /** To connect to where no other is named; default `postgres`. */
    database: z.string().min(1).optional(),
    tls: tls.optional(),
    connectTimeoutSeconds: z.int().min(1).max(600).default(30),
  })
  .check(({ value, issues }) => {
    const places = [value.url, value.host, value.socket].filter((place) => place !== undefined).length;
    const tell = (path: string, message: string) =>
      issues.push({ code: 'custom', input: value, path: [path], message });
    if (places !== 1) tell('host', 'or `socket` or `url`: exactly one of them is needed');
    if (value.user === undefined && !(value.url !== undefined && URL.parse(value.url)?.username))
      tell('user', 'is missing');
  });

export type ConnectionConfiguration = z.infer<typeof connectionSchema>;

function isUsableUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) return false;
  return url.hostname !== '' && url.password === '' && url.search === '' && url.hash === '';
}
