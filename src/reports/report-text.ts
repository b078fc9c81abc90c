/** Text of whatever origin for HTML, in elements and attributes. Control characters, which HTML forbids, are shown as `�`. */
export function escaped(text: string): string {
  return text
    .replaceAll(CONTROL, '�')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

const CONTROL = /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu;

/** An RFC 3339 time in UTC to the second, for people. */
export function formatMoment(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}

/** `850 ms`, `12.4 s`, `3 min 20 s`, `5 h 10 min`, `2 days 3 h`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 48) return `${hours} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

/** `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return power === 0 ? exactBytes(bytes) : `${(bytes / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
}

/** With the exact number beside, as evidence needs it: `1.5 KiB (1,536 bytes)`. */
export function formatExactBytes(bytes: number): string {
  const short = formatBytes(bytes);
  return short === exactBytes(bytes) ? short : `${short} (${exactBytes(bytes)})`;
}

function exactBytes(bytes: number): string {
  return `${bytes.toLocaleString('en')} ${bytes === 1 ? 'byte' : 'bytes'}`;
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
