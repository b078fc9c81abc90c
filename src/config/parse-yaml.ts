import { parse, YAMLParseError } from 'yaml';
import { HoldfastError, messageOf } from '../core/errors.ts';

/**
 * Reads the text of a configuration file.
 *
 * @throws HoldfastError `configuration-invalid` (invalid), which says where and what, but neither shows the line nor keeps the
 * parser's error, which does: it may hold a secret
 */
export function parseYaml(file: string, text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 100, logLevel: 'error' });
  } catch (error) {
    const [start] = error instanceof YAMLParseError ? (error.linePos ?? []) : [];
    const where = start === undefined ? '' : ` at line ${start.line}, column ${start.col}`;
    const [what] = messageOf(error).split(/ at line |[:\n]/);
    throw new HoldfastError('invalid', 'configuration-invalid', `${file} is not valid YAML${where}: ${what}.`);
  }
}
