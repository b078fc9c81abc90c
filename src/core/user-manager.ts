import type { ApiToken, LocalUser, Role } from './access.ts';
import { HoldfastError } from './errors.ts';
import type { Grant } from './grant.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { DocumentTable } from './ports/catalogue.ts';
import type { Clock } from './ports/clock.ts';
import type { PasswordHasher } from './ports/password-hasher.ts';
import { looksLikeToken, normalUserName, requireUserName } from './user-name.ts';

/** A user as it may be shown: without what could be tried passwords against. */
export type ShownUser = Omit<LocalUser, 'passwordHash' | 'id'>;

/** All that a user is but its password; what is absent does not hold. */
export interface UserSettings {
  role: Role;
  resources?: readonly string[];
  grants?: readonly Grant[];
  /** RFC 3339 */
  expiresAt?: string;
  disabled?: boolean;
}

/** Users whose passwords Holdfast keeps. Names are compared without regard to case and composition. */
export interface UserManager {
  list(): Promise<readonly ShownUser[]>;
  /** @throws `user-not-found` */
  get(name: string): Promise<ShownUser>;
  /**
   * Creates or replaces; without `password` the present one stays.
   * @throws `user-name-invalid`, `password-needed`, `password-too-weak` (invalid), `user-name-taken` (conflict)
   */
  put(name: string, settings: UserSettings, password?: string): Promise<{ user: ShownUser; created: boolean }>;
  /** @throws `user-not-found`, `password-too-weak` */
  setPassword(name: string, password: string): Promise<void>;
  /** @throws `user-not-found` */
  delete(name: string): Promise<void>;
}

const SHORTEST_PASSWORD = 8;
/** Bytes in UTF-8. */
const LONGEST_PASSWORD = 1024;

export class CatalogueUserManager implements UserManager {
  readonly #users: DocumentTable<LocalUser>;
  readonly #tokens: Pick<DocumentTable<ApiToken>, 'list'>;
  readonly #passwords: PasswordHasher | undefined;
  readonly #clock: Clock;
  readonly #lock = new KeyedLock();

  constructor(parts: {
    users: DocumentTable<LocalUser>;
    tokens: Pick<DocumentTable<ApiToken>, 'list'>;
    passwords: PasswordHasher | undefined;
    clock: Clock;
  }) {
    this.#users = parts.users;
    this.#tokens = parts.tokens;
    this.#passwords = parts.passwords;
    this.#clock = parts.clock;
  }

  async list(): Promise<readonly ShownUser[]> {
    return (await this.#users.list()).map(shown);
  }

  async get(name: string): Promise<ShownUser> {
    return shown(await this.#required(name));
  }

  async put(name: string, settings: UserSettings, password?: string): Promise<{ user: ShownUser; created: boolean }> {
    const id = requireUserName(name);
    const passwordHash = password === undefined ? undefined : await this.#hash(id, password);
    return this.#lock.run(id, async () => {
      const present = await this.#users.get(id);
      if (present === undefined) await this.#requireFree(id);
      const hash = passwordHash ?? present?.passwordHash;
      if (hash === undefined) throw passwordNeeded(id);
      const now = this.#clock.now().toISOString();
      const user: LocalUser = {
        id,
        name: id,
        ...definedOf(settings),
        disabled: settings.disabled ?? false,
        passwordHash: hash,
        createdAt: present?.createdAt ?? now,
        updatedAt: now,
        passwordChangedAt: passwordHash === undefined ? (present?.passwordChangedAt ?? now) : now,
      };
      await this.#users.put(user);
      return { user: shown(user), created: present === undefined };
    });
  }

  async setPassword(name: string, password: string): Promise<void> {
    const id = normalUserName(name);
    await this.#required(id);
    const passwordHash = await this.#hash(id, password);
    await this.#lock.run(id, async () => {
      const now = this.#clock.now().toISOString();
      // Of what stands now: hashing takes a while, in which somebody may have been locked out.
      const changed = await this.#users.change(id, (user) => ({
        ...{ ...user, passwordHash },
        ...{ passwordChangedAt: now, updatedAt: now },
      }));
      if (changed === undefined) throw userNotFound(id);
    });
  }

  async delete(name: string): Promise<void> {
    const id = normalUserName(name);
    const wasThere = await this.#lock.run(id, () => this.#users.delete(id));
    if (!wasThere) throw userNotFound(id);
  }

  async #required(name: string): Promise<LocalUser> {
    const id = normalUserName(name);
    const user = await this.#users.get(id);
    if (user === undefined) throw userNotFound(id);
    return user;
  }

  async #hash(name: string, password: string): Promise<string> {
    requireUsablePassword(name, password);
    if (this.#passwords !== undefined) return this.#passwords.hash(password);
    throw new HoldfastError('unsupported', 'passwords-unavailable', 'This process keeps no passwords. Use tokens.');
  }

  /** The audit log tells callers apart by their names. */
  async #requireFree(name: string): Promise<void> {
    const taken = (await this.#tokens.list()).some((token) => normalUserName(token.name) === name);
    if (!taken) return;
    const message = `There is a token named "${name}" already. Revoke it first, or choose another name.`;
    throw new HoldfastError('conflict', 'user-name-taken', message, { details: { name } });
  }
}

function definedOf({ role, resources, grants, expiresAt }: UserSettings) {
  return {
    role,
    ...(resources === undefined ? {} : { resources }),
    ...(grants === undefined ? {} : { grants }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

function shown({ passwordHash: _passwordHash, id: _id, ...user }: LocalUser): ShownUser {
  return user;
}

/** @throws HoldfastError `password-too-weak` (invalid) */
function requireUsablePassword(name: string, password: string): void {
  const bytes = Buffer.byteLength(password);
  const isUsable =
    [...password.normalize('NFKC')].length >= SHORTEST_PASSWORD &&
    bytes <= LONGEST_PASSWORD &&
    !/\p{Cc}/u.test(password) &&
    normalUserName(password) !== name &&
    !looksLikeToken(password);
  if (isUsable) return;
  throw new HoldfastError(
    'invalid',
    'password-too-weak',
    `A password must have at least ${SHORTEST_PASSWORD} characters and at most ${LONGEST_PASSWORD} bytes, no control characters, must not be the name, and must not begin like a token (hf_). Choose several words.`,
  );
}

function passwordNeeded(name: string): HoldfastError {
  const message = `There is no user ${name} yet: a new one needs a password.`;
  return new HoldfastError('invalid', 'password-needed', message, { details: { name } });
}

function userNotFound(name: string): HoldfastError {
  const message = `There is no user "${name.slice(0, 64)}". List them with "holdfast user list" or GET /users.`;
  return new HoldfastError('not-found', 'user-not-found', message);
}
