import { createDrillFolders } from '../src/process/drill-folders.ts';
import { ownProcess } from '../src/process/process-owner.ts';
import { PrivateServer } from '../src/services/postgresql/private-server.ts';
import { findServerPrograms } from '../src/services/postgresql/server-programs.ts';

/**
 * A process that starts a private server in a folder of a drill, says where, and waits to be killed.
 *
 * node private-server-owner.ts PARENT
 */
const folders = createDrillFolders({ owner: ownProcess(), isAlive: () => true, parent: process.argv[2] ?? '' });
const { path: folder } = await folders.make();
const { signal } = new AbortController();
const server = await PrivateServer.prepare({ programs: await findServerPrograms(14), folder, signal });
await server.start(await server.initialise(), { user: server.superuser });
process.stdout.write(`${folder}\n`);
setInterval(() => undefined, 60_000);
