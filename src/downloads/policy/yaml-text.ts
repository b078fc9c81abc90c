import { isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode, parseDocument } from 'yaml';
import type { HoldfastError } from '../../core/errors.ts';

/** YAML as plain values, and where each of them is written. */
export interface YamlText {
  value: unknown;
  /** Of the value at a path, or of what is nearest around it. */
  placeOf(path: readonly PropertyKey[]): TextPlace;
}

type Path = readonly (string | number)[];

/** Both count from 1. */
export interface TextPlace {
  line: number;
  column: number;
}

/** What is wrong with a text, and where. */
export interface TextFault extends TextPlace {
  message: string;
}

/** Longer ones are no policies that a person could review. */
export const POLICY_LIMIT_BYTES = 1_048_576;
const DEPTH_LIMIT = 40;

/**
 * Reads YAML 1.2 that means what it seems to mean: no aliases, no tags, no other version, no key twice, no number that would lose digits.
 *
 * @param faulty makes the error of what is wrong with the text
 * @param isUnordered whether the order of an object's members means nothing
 * @throws what `faulty` makes
 */
export function readYamlText(
  text: string,
  faulty: (faults: readonly TextFault[]) => HoldfastError,
  isUnordered: (path: Path) => boolean,
): YamlText {
  const first = { line: 1, column: 1 };
  if (Buffer.byteLength(text) > POLICY_LIMIT_BYTES)
    throw faulty([{ ...first, message: `It is longer than ${POLICY_LIMIT_BYTES} bytes.` }]);
  const lines = new LineCounter();
  const document = parsed(text, lines, faulty);
  const reader = new NodeReader(lines, isUnordered);
  for (const { message, pos } of [...document.errors, ...document.warnings]) reader.fault(pos[0], wordsOf(message));
  if (document.directives.yaml.version !== '1.2')
    reader.fault(0, 'Only YAML 1.2 is read here: take the %YAML line out.');
  if (reader.faults.length > 0) throw faulty(reader.faults);
  const value = document.contents === null ? null : reader.read(document.contents, []);
  if (reader.faults.length > 0) throw faulty(reader.faults);
  return { value, placeOf: (path) => reader.at(offsetOf(document.contents, path)) };
}

const FAULTS_SHOWN = 50;

/** The parser's own words, but where they speak of its options and insides. */
function wordsOf(message: string): string {
  if (message.startsWith('Maximum call stack')) return 'It is nested too deep here.';
  if (message.startsWith('With stringKeys')) return 'A name is plain text.';
  if (message.startsWith('Source contains multiple documents')) return 'A file holds one policy: take the `---` out.';
  return `${message.split(/ at line |\n/)[0]}.`;
}

function parsed(text: string, lines: LineCounter, faulty: (faults: readonly TextFault[]) => HoldfastError) {
  try {
    // Keys that stand there twice are looked for below: the parser compares each with each.
    return parseDocument(text, {
      lineCounter: lines,
      stringKeys: true,
      uniqueKeys: false,
      schema: 'core',
      logLevel: 'error',
      prettyErrors: false,
    });
  } catch {
    throw faulty([{ line: 1, column: 1, message: 'It is nested too deep, or is no YAML at all.' }]);
  }
}

class NodeReader {
  readonly faults: TextFault[] = [];
  readonly #lines: LineCounter;
  readonly #isUnordered: (path: Path) => boolean;

  constructor(lines: LineCounter, isUnordered: (path: Path) => boolean) {
    this.#lines = lines;
    this.#isUnordered = isUnordered;
  }

  fault(offset: number, message: string): void {
    const { line, column } = this.at(offset);
    const last = this.faults.at(-1);
    if (this.faults.length >= FAULTS_SHOWN || (last?.line === line && last.column === column)) return;
    this.faults.push({ line, column, message });
  }

  read(node: ParsedNode, path: Path): unknown {
    const [start] = node.range;
    if (path.length > DEPTH_LIMIT) return this.fault(start, 'It is nested too deep here.');
    if (isAlias(node))
      return this.fault(
        start,
        'Aliases (`*name`) are not read, so that a policy can be reviewed as it stands: write it out, or use a domain.',
      );
    if (node.tag !== undefined) return this.fault(start, `The tag ${node.tag} is not read: leave it out.`);
    if (isScalar(node)) return this.#scalar(node.value, start);
    if (isSeq(node)) return node.items.map((item, index) => this.read(item as ParsedNode, [...path, index]));
    if (isMap(node)) return this.#object(node.items as readonly Member[], path);
    return undefined;
  }

  #scalar(value: unknown, start: number): unknown {
    if (typeof value !== 'number') return value;
    if (Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))) return value;
    return this.fault(start, 'This number would lose digits: put it into quotes.');
  }

  #object(members: readonly Member[], path: Path): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const names: string[] = [];
    for (const { key, value } of members) {
      const name = isScalar(key) ? String(key.value) : '';
      const start = key.range[0];
      if (!isScalar(key) || key.tag !== undefined) this.fault(start, 'A name is plain text.');
      else if (name === '__proto__') this.fault(start, 'A policy cannot speak of the name `__proto__`.');
      else if (Object.hasOwn(object, name)) this.fault(start, `\`${name}\` stands here twice.`);
      else {
        object[name] = value === null ? null : this.read(value, [...path, name]);
        names.push(name);
      }
    }
    // Objects put names that are whole numbers first, and some orders mean something.
    if (!this.#isUnordered(path) && Object.keys(object).some((name, index) => name !== names[index]))
      this.fault(members[0]?.key.range[0] ?? 0, 'Names that are whole numbers stand first here, in ascending order.');
    return object;
  }

  at(offset: number): TextPlace {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }
}

/** Where the value at a path begins, its name where it has one; of what is nearest around it, where there is none. */
function offsetOf(contents: ParsedNode | null, path: readonly PropertyKey[]): number {
  let node = contents;
  let offset = node?.range[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const member = (node.items as readonly Member[]).find(({ key }) => isScalar(key) && String(key.value) === step);
      if (member === undefined) break;
      offset = member.key.range[0];
      node = member.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = (node.items[step] as ParsedNode | undefined) ?? null;
      offset = node?.range[0] ?? offset;
    } else break;
  }
  return offset;
}

interface Member {
  key: ParsedNode;
  value: ParsedNode | null;
}
