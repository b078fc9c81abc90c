import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from './measured-command.ts';
import { ServiceProcess } from './service-process.ts';

const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** The command line on one data folder, whose resources are made by HTTP. */
export class HoldfastCommands {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes repository and key. */
  static async open(folder: string): Promise<HoldfastCommands> {
    mkdirSync(folder, { recursive: true });
    const commands = new HoldfastCommands(folder);
    await (await commands.serve()).stop();
    return commands;
  }

  serve(): Promise<ServiceProcess> {
    return ServiceProcess.start(this.folder);
  }

  async putResource(id: string, service: string, configuration: Readonly<Record<string, unknown>>): Promise<void> {
    const running = await this.serve();
    try {
      const answer = await fetch(`${running.url}/resources/${id}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ service, configuration }),
      });
      if (!answer.ok) throw new Error(`The resource was refused: ${await answer.text()}`);
    } finally {
      await running.stop();
    }
  }

  /** As the launcher starts it; it only looks for the Node.js on which this runs already. */
  command(...words: string[]): Command {
    return {
      program: process.execPath,
      commandLine: [
        '--max-semi-space-size=4',
        join(packageRoot, 'bin', 'holdfast.js'),
        '--data',
        this.folder,
        ...words,
      ],
      environment: {
        MALLOC_ARENA_MAX: '2',
      },
    };
  }
}
