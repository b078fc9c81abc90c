/** The lines of comments that pg_dump and pg_restore write. */
const KNOWN = [
  /^--$/,
  /^-- (?:Name|Data for Name|Statistics for Name): .*; Type: [A-Z ]+; Schema: .*$/,
  /^-- TOC entry [\d ]+(?:\(class \d+ OID \d+\))?$/,
  /^-- load via partition root .*$/,
  /^-- Dependencies: [\d ]+$/,
  /^-- PostgreSQL database dump(?: complete)?$/,
  /^-- Dumped (?:from database|by pg_dump) version [\w.()~+: -]+$/,
];

/** What stands between statements without the comments that somebody else wrote: nobody can say what is in them. */
export function knownComments(gap: Buffer): Buffer {
  const lines = gap.toString('latin1').split('\n');
  if (lines.every(isKnown)) return gap;
  return Buffer.from(lines.map((line) => (isKnown(line) ? line : '')).join('\n'), 'latin1');
}

function isKnown(line: string): boolean {
  return /^\s*$/.test(line) || KNOWN.some((pattern) => pattern.test(line.trimEnd()));
}
