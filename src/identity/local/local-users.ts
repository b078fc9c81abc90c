import type { LocalUser } from '../../core/access.ts';
import { isUserOpen, principalOfUser } from '../../core/kept-callers.ts';
import type { DocumentTable } from '../../core/ports/catalogue.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { IdentityProvider } from '../../core/ports/identity-provider.ts';
import type { PasswordHasher } from '../../core/ports/password-hasher.ts';
import { normalUserName } from '../../core/user-name.ts';
import { VerifiedPasswords } from '../../core/verified-passwords.ts';

const REMEMBERED_MILLISECONDS = 5 * 60_000;

/**
 * The users that the catalogue holds. A name that is one of theirs is nobody else's; for names that are not, the same hash is computed
 * before a directory is asked, so that the time does not tell which names exist.
 */
export function createLocalUsers(parts: {
  users: Pick<DocumentTable<LocalUser>, 'get'>;
  passwords: PasswordHasher;
  clock: Clock;
}): IdentityProvider {
  const { users, passwords, clock } = parts;
  const verified = new VerifiedPasswords<true>(clock, REMEMBERED_MILLISECONDS);
  return {
    method: 'password',
    async identify(credentials) {
      if (credentials.kind !== 'password') return 'unrecognised';
      const user = await users.get(normalUserName(credentials.name));
      const { password } = credentials;
      const words = [user?.id ?? '', user?.passwordHash ?? '', password];
      const isRight =
        (user !== undefined && verified.find(words)) || (await passwords.verify(password, user?.passwordHash));
      if (user === undefined) return 'unrecognised';
      if (!isRight) return 'refused';
      verified.add(words, true);
      return isUserOpen(user, clock.now()) ? principalOfUser(user, clock.now()) : 'refused';
    },
  };
}
