import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { randomBlocks } from './data/random-bytes.ts';

/** What a reader must know of the machine to judge the numbers; nothing that names it. */
export interface Machine {
  processor: string;
  cores: number;
  memoryBytes: number;
  system: string;
  runtime: string;
  /** Megabytes a second that plain writes of 32 MiB files, each fsynced, reach. */
  durableWriteRate: number;
}

export function describeMachine(workFolder: string): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${systemName()}, Linux ${release().split('-')[0]}`,
    runtime: `Node.js ${process.version}`,
    durableWriteRate: durableWriteRate(workFolder),
  };
}

const FILE_BYTES = 32 * 1024 * 1024;
const FILES = 16;

function durableWriteRate(workFolder: string): number {
  const bytes = Buffer.concat([...randomBlocks(FILE_BYTES, 1)]);
  const began = performance.now();
  for (let index = 0; index < FILES; index++) {
    const path = join(workFolder, `durable-${index}`);
    const file = openSync(path, 'w');
    writeSync(file, bytes);
    fsyncSync(file);
    closeSync(file);
  }
  const seconds = (performance.now() - began) / 1000;
  for (let index = 0; index < FILES; index++) rmSync(join(workFolder, `durable-${index}`));
  return (FILES * FILE_BYTES) / 1e6 / seconds;
}

function systemName(): string {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}
