import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * The first line that a process prints, whose standard output must be a pipe. What it says on standard error goes nowhere, unless it ends before
 * that line.
 * @throws Error with how it ended and what it said on standard error
 */
export function firstLine(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (stdout === null) throw new Error('The standard output of the process is no pipe.');
  let said = '';
  let isOver = false;
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (!isOver) said += text;
  });
  return new Promise<string>((resolve, reject) => {
    const end = (act: () => void) => {
      isOver = true;
      act();
    };
    createInterface({ input: stdout }).once('line', (line) => end(() => resolve(line)));
    child.once('error', (error) => end(() => reject(error)));
    child.once('close', (code, signal) =>
      end(() => reject(new Error(`The process ended (${code ?? signal}) before it printed a line. It said: ${said}`))),
    );
  });
}
