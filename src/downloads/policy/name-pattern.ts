/**
 * Whether a name fits a pattern in which `*` stands for any characters. Each piece between stars is looked for once, from left to right, so that no pattern
 * can make it slow, as a regular expression could.
 */
export function fitsName(pattern: string, name: string): boolean {
  const pieces = pattern.split('*');
  const [first = ''] = pieces;
  const last = pieces.at(-1) ?? '';
  if (pieces.length === 1) return pattern === name;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= name.length - last.length;
}

/** Whether a path fits a pattern: `*` stands for any characters within one step of it, `**` as a step of its own for any number of steps. */
export function fitsPath(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const steps = path.split('/');
  let at = 0;
  let step = 0;
  // Where to go on from when something does not fit: only the last `**` needs to take more.
  let afterStars = -1;
  let taken = 0;
  while (step < steps.length) {
    const next = wanted[at];
    if (next === '**') {
      afterStars = ++at;
      taken = step;
    } else if (next !== undefined && fitsName(next, steps[step] as string)) {
      at++;
      step++;
    } else if (afterStars >= 0) {
      at = afterStars;
      step = ++taken;
    } else return false;
  }
  while (wanted[at] === '**') at++;
  return at === wanted.length;
}
