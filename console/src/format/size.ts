// Numbers as people read them: decimal sizes, grouped counts, signed changes.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const grouped = new Intl.NumberFormat("en-US");

/** E.g. `13.2 GB`; three digits, decimal units. */
export function size(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${bytes < 0 ? "−" : ""}${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** E.g. `+1.2 MB`, `−300 B`, `±0 B`. */
export function signedSize(bytes: number): string {
  if (bytes === 0) return "±0 B";
  return bytes > 0 ? `+${size(bytes)}` : size(bytes);
}

/** E.g. `12,403`. */
export function count(value: number): string {
  return grouped.format(value);
}

/** E.g. `1 object`, `2 objects`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** A whole percentage that is 100 only when all is done. */
export function percent(part: number, whole: number): number {
  if (whole <= 0) return 0;
  const share = Math.floor((part / whole) * 100);
  return Math.max(0, Math.min(part >= whole ? 100 : 99, share));
}
