const FIELDS = { yyyy: 'year', MM: 'month', dd: 'day', HH: 'hour', mm: 'minute', ss: 'second' } as const;
type Field = (typeof FIELDS)[keyof typeof FIELDS];

/**
 * The names of backups, and the time in them: `daily/shop-{yyyy}-{MM}-{dd}T{HH}{mm}.sql.gpg`. `*` stands for any characters but `/`,
 * `**\/` for any folders, `{epoch}` for seconds since 1970. A part of the time that occurs twice must be the same twice.
 */
export class NamePattern {
  readonly #hasTime: boolean;
  readonly #expression: RegExp;
  readonly #timeZone: string;

  /** @throws RangeError saying what is wrong with the pattern or time zone */
  constructor(pattern: string, timeZone: string) {
    const { source, fields } = expressionOf(pattern);
    this.#expression = new RegExp(`^${source}$`, 's');
    this.#timeZone = timeZone;
    this.#hasTime = fields.size > 0;
    if (this.#hasTime && !fields.has('epoch') && !['year', 'month', 'day'].every((part) => fields.has(part)))
      throw new RangeError('needs {yyyy}, {MM} and {dd}, or {epoch}, or none of them');
    zoned({ year: 2000, month: 1, day: 1 }, timeZone);
  }

  /** @returns false for another name; undefined for the time where the pattern has none */
  match(key: string): { time: Date | undefined } | false {
    const groups = this.#expression.exec(key)?.groups;
    if (groups === undefined && !this.#expression.test(key)) return false;
    if (groups === undefined || !this.#hasTime) return { time: undefined };
    if (groups.epoch !== undefined) return { time: new Date(Number(groups.epoch) * 1000) };
    const parts: Partial<Record<Field, number>> = {};
    for (const field of Object.values(FIELDS))
      if (groups[field] !== undefined) parts[field] = Number.parseInt(groups[field], 10);
    try {
      return { time: zoned(parts, this.#timeZone) };
    } catch {
      // Digits that are no date: it is some other name.
      return false;
    }
  }
}

/** Parts that a clock leaves out or repeats when it is changed mean what they would have before. */
function zoned(parts: Partial<Record<Field, number>>, timeZone: string): Date {
  const { year = 0, month = 0, day = 0, ...time } = parts;
  const moment = Temporal.PlainDateTime.from({ year, month, day, ...time }, { overflow: 'reject' });
  return new Date(moment.toZonedDateTime(timeZone, { disambiguation: 'compatible' }).epochMilliseconds);
}

function expressionOf(pattern: string): { source: string; fields: Set<string> } {
  const fields = new Set<string>();
  const source = pattern.replace(/\*\*\/|\*|\{(\w+)\}|[^*{]+|\{/g, (token, name?: string) => {
    if (token === '**/') return '(?:[^/]+/)*';
    if (token === '*') return '[^/]*';
    if (name === undefined) return RegExp.escape(token);
    const field = name === 'epoch' ? 'epoch' : FIELDS[name as keyof typeof FIELDS];
    if (field === undefined)
      throw new RangeError(`has {${name}}; there are ${Object.keys(FIELDS).join(', ')} and epoch`);
    if (fields.has(field)) return `\\k<${field}>`;
    fields.add(field);
    return `(?<${field}>\\d{${field === 'epoch' ? '9,11' : field === 'year' ? '4' : '2'}})`;
  });
  return { source, fields };
}
