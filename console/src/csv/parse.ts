// Tables in text: comma, semicolon or tab between the cells, quotes as in RFC 4180. Reads what is
// there of a text that was cut off, and no more rows than asked for.

export type Table = { header: string[]; rows: string[][]; delimiter: string; more: boolean };

const DELIMITERS = [",", "\t", ";", "|"];

/** The table in `text`. With `cut` the text ends anywhere, and its last row is left out. */
export function parse(text: string, options: { rowsMax: number; cut: boolean }): Table {
  const source = text.startsWith("\ufeff") ? text.slice(1) : text;
  const delimiter = guess(source);
  const { rows, end } = read(source, delimiter, options.rowsMax + 1);
  const whole = end >= source.length;
  if (options.cut && whole && rows.length > 1) rows.pop();
  const [header = [], ...rest] = rows;
  return { header, rows: rest, delimiter, more: !whole || options.cut };
}

/** The delimiter that divides the first lines most evenly. */
function guess(text: string): string {
  const sample = text.slice(0, 4_096);
  let best = { delimiter: ",", score: 0 };
  for (const delimiter of DELIMITERS) {
    const widths = read(sample, delimiter, 6).rows.map((row) => row.length);
    const first = widths[0] ?? 1;
    const even = widths.slice(0, -1).every((width) => width === first);
    const score = first < 2 ? 0 : first + (even ? 1_000 : 0);
    if (score > best.score) best = { delimiter, score };
  }
  return best.delimiter;
}

function read(text: string, delimiter: string, rowsMax: number): { rows: string[][]; end: number } {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length && rows.length < rowsMax) {
    const cell = text[at] === '"' ? quoted(text, at) : bare(text, at, delimiter);
    row.push(cell.value);
    at = cell.end;
    if (text[at] === delimiter) {
      at += 1;
      if (at < text.length) continue;
      row.push("");
    }
    if (text[at] === "\r") at += 1;
    if (text[at] === "\n") at += 1;
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  return { rows, end: at };
}

function bare(text: string, from: number, delimiter: string): { value: string; end: number } {
  let end = from;
  while (end < text.length && text[end] !== delimiter && text[end] !== "\n" && text[end] !== "\r")
    end += 1;
  return { value: text.slice(from, end), end };
}

function quoted(text: string, from: number): { value: string; end: number } {
  let value = "";
  let at = from + 1;
  for (;;) {
    const close = text.indexOf('"', at);
    if (close < 0) return { value: value + text.slice(at), end: text.length };
    value += text.slice(at, close);
    if (text[close + 1] !== '"')
      return { value: value + after(text, close + 1), end: rest(text, close + 1) };
    value += '"';
    at = close + 2;
  }
}

// What stands between a closing quote and the end of its cell belongs to the cell.
function rest(text: string, from: number): number {
  let end = from;
  while (
    end < text.length &&
    !DELIMITERS.includes(text[end] as string) &&
    text[end] !== "\n" &&
    text[end] !== "\r"
  )
    end += 1;
  return end;
}

function after(text: string, from: number): string {
  return text.slice(from, rest(text, from));
}

/** The columns whose cells are all numbers, to be aligned as such. */
export function numeric(table: Table): boolean[] {
  const number = /^\s*[-+]?(\d[\d_ ]*)?(\.\d+)?([eE][-+]?\d+)?\s*%?$/;
  return table.header.map((_, column) => {
    const cells = table.rows
      .slice(0, 50)
      .map((row) => row[column] ?? "")
      .filter((cell) => cell !== "");
    return cells.length > 0 && cells.every((cell) => number.test(cell));
  });
}
