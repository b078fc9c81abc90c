/** How a file's values are written, as far as a masking policy says it. Both are one character; the quote is ASCII. */
export interface CsvSyntax {
  delimiter: string;
  quote: string;
}

/** What is wrong with a record, within a sentence, without a value. */
export class CsvFault extends Error {}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Reads records as RFC 4180 has them, and strictly: a quote stands around a whole field or, doubled, within one in quotes; a carriage return outside of quotes comes before a
 * line feed only. Text is UTF-8 as Latin-1 (one character for each byte). What it finds are places, so that what is not changed can be given as it was written.
 */
export class CsvRecords {
  /** Of the record that was read last. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** How many fields it has. */
  fields = 0;
  /** Behind its last field, before its line break. */
  end = 0;
  /** Where the next record begins. */
  next = 0;
  readonly #text: string;
  readonly #quote: string;
  readonly #quoteCode: number;
  readonly #delimiter: string;
  readonly #delimiterCode: number;

  constructor(text: string, { delimiter, quote }: CsvSyntax) {
    this.#text = text;
    this.#quote = quote;
    this.#quoteCode = quote.charCodeAt(0);
    this.#delimiter = inBytes(delimiter);
    this.#delimiterCode = this.#delimiter.charCodeAt(0);
  }

  /** @returns false at the end of the text @throws CsvFault */
  read(): boolean {
    const text = this.#text;
    let at = this.next;
    if (at >= text.length) return false;
    let fields = 0;
    for (;;) {
      this.starts[fields] = at;
      at = text.charCodeAt(at) === this.#quoteCode ? this.#quoted(at) : this.#plain(at);
      this.ends[fields++] = at;
      if (!this.#isDelimiter(text.charCodeAt(at), at)) break;
      at += this.#delimiter.length;
    }
    this.fields = fields;
    this.end = at;
    this.next = this.#lineEnd(at);
    return true;
  }

  /** Whether there is nothing at all on its line. */
  get isEmpty(): boolean {
    return this.fields === 1 && this.starts[0] === this.end;
  }

  isQuoted(field: number): boolean {
    const start = this.starts[field] ?? 0;
    return start !== this.ends[field] && this.#text.charCodeAt(start) === this.#quoteCode;
  }

  /** What a field stands for. */
  value(field: number): string {
    const [start, end] = [this.starts[field] ?? 0, this.ends[field] ?? 0];
    if (!this.isQuoted(field)) return characters(this.#text.slice(start, end));
    const inner = this.#text.slice(start + 1, end - 1);
    return characters(inner.includes(this.#quote) ? inner.replaceAll(this.#quote + this.#quote, this.#quote) : inner);
  }

  #isDelimiter(code: number, at: number): boolean {
    if (code !== this.#delimiterCode) return false;
    return this.#delimiter.length === 1 || this.#text.startsWith(this.#delimiter, at);
  }

  #plain(from: number): number {
    const text = this.#text;
    const [quote, delimiter] = [this.#quoteCode, this.#delimiterCode];
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === delimiter && this.#isDelimiter(code, at)) return at;
      if (code === LINE_FEED || code === CARRIAGE_RETURN) return at;
      if (code === quote) throw new CsvFault('there is a quote within a field that does not begin with one');
    }
    return text.length;
  }

  #quoted(from: number): number {
    const text = this.#text;
    for (let at = from + 1; ; at += 2) {
      at = text.indexOf(this.#quote, at);
      if (at < 0) throw new CsvFault('the quote before a field has none behind it');
      if (text.charCodeAt(at + 1) !== this.#quoteCode) return this.#demandEnd(at + 1);
    }
  }

  #demandEnd(at: number): number {
    const code = this.#text.charCodeAt(at);
    const isEnd = at >= this.#text.length || code === LINE_FEED || code === CARRIAGE_RETURN;
    if (isEnd || this.#isDelimiter(code, at)) return at;
    throw new CsvFault('there is something between the quote behind a field and the delimiter');
  }

  #lineEnd(at: number): number {
    const text = this.#text;
    if (at >= text.length) return at;
    if (text.charCodeAt(at) === LINE_FEED) return at + 1;
    if (text.charCodeAt(at + 1) === LINE_FEED) return at + 2;
    throw new CsvFault('there is a carriage return that no line feed follows');
  }
}

/** A value as a field, in bytes as characters. @param isQuoted also where it need not be */
export function csvField(value: string, { delimiter, quote }: CsvSyntax, isQuoted: boolean): string {
  const mustBe = value.includes(delimiter) || value.includes(quote) || value.includes('\n') || value.includes('\r');
  if (!isQuoted && !mustBe) return inBytes(value);
  return inBytes(quote + value.replaceAll(quote, quote + quote) + quote);
}

/** UTF-8 as one character for each byte, decoded. */
function characters(latin1: string): string {
  return isAscii(latin1) ? latin1 : Buffer.from(latin1, 'latin1').toString('utf8');
}

function inBytes(value: string): string {
  return isAscii(value) ? value : Buffer.from(value, 'utf8').toString('latin1');
}

function isAscii(value: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole range is meant
  return !/[^\x00-\x7f]/.test(value);
}
