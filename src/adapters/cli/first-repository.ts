import { readdir } from 'node:fs/promises';
import type { Application } from '../../core/application.ts';
import type { OpenApplicationOptions } from '../../core/composition.ts';
import type { Configuration } from '../../core/configuration.ts';
import { systemErrorCode } from '../../core/errors.ts';
import type { CommandSession } from './command-session.ts';

/**
 * What a new user may do first makes repository and key file, as the first start of the service does. Later a missing
 * repository is an error: it may lie on a disk that is not mounted, and a new one would hide that.
 */
export async function openAndMakeRepository(
  session: CommandSession,
  configuration?: Configuration,
  options: OpenApplicationOptions = {},
): Promise<Application> {
  const chosen = configuration ?? (await session.configuration({ logLevel: 'silent' }));
  return session.application(chosen, {
    ...options,
    initialise: await isNewDataFolder(chosen.dataFolder),
    onKeyFileMade: (path) => {
      session.output.warn(
        `A new key file was made: ${path}. Copy it to another machine or a password manager now: ` +
          'without it nothing restores.',
      );
    },
  });
}

async function isNewDataFolder(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  });
  return names.length === 0;
}
