// Two texts side by side: the shortest edit between their lines (Myers), bounded, so that texts
// with little in common are shown as replaced instead of keeping the browser busy.

export type Side = { number: number; text: string };
export type Row =
  | { kind: "same"; left: Side; right: Side }
  | { kind: "changed"; left: Side; right: Side }
  | { kind: "removed"; left: Side; right?: undefined }
  | { kind: "added"; left?: undefined; right: Side }
  | { kind: "gap"; lines: number };

/** Edits beyond which the texts count as replaced. Memory is its square. */
const EDITS_MAX = 1_500;

type Span = { leftFrom: number; leftTo: number; rightFrom: number; rightTo: number };

/** The lines of a text; a final line break ends the last line and begins none. */
export function lines(text: string): string[] {
  if (text === "") return [];
  const found = text.split(/\r\n|\n/);
  if (found.at(-1) === "") found.pop();
  return found;
}

/** All rows of the comparison. Lines that replace others stand beside them. */
export function compare(left: string[], right: string[]): Row[] {
  const rows: Row[] = [];
  let [l, r] = [0, 0];
  const side = (text: string[], at: number): Side => ({ number: at + 1, text: text[at] ?? "" });
  const same = (until: number) => {
    for (; l < until; l += 1, r += 1)
      rows.push({ kind: "same", left: side(left, l), right: side(right, r) });
  };
  for (const span of differences(left, right)) {
    same(span.leftFrom);
    while (l < span.leftTo && r < span.rightTo) {
      rows.push({ kind: "changed", left: side(left, l++), right: side(right, r++) });
    }
    while (l < span.leftTo) rows.push({ kind: "removed", left: side(left, l++) });
    while (r < span.rightTo) rows.push({ kind: "added", right: side(right, r++) });
  }
  same(left.length);
  return rows;
}

/** The rows without long stretches of unchanged lines, `context` of which stay around a change. */
export function folded(rows: Row[], context = 3): Row[] {
  const kept: Row[] = [];
  for (let at = 0; at < rows.length;) {
    let end = at;
    while (end < rows.length && rows[end]?.kind === "same") end += 1;
    const head = at === 0 ? 0 : context;
    const tail = end === rows.length ? 0 : context;
    if (end - at > head + tail + 1) {
      kept.push(...rows.slice(at, at + head), { kind: "gap", lines: end - at - head - tail });
      kept.push(...rows.slice(end - tail, end));
    } else {
      kept.push(...rows.slice(at, end));
    }
    if (end < rows.length) kept.push(rows[end] as Row);
    at = end + 1;
  }
  return kept;
}

/** Where the texts differ, in order. */
function differences(left: string[], right: string[]): Span[] {
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head += 1;
  let tail = 0;
  const least = Math.min(left.length, right.length) - head;
  while (tail < least && left[left.length - 1 - tail] === right[right.length - 1 - tail]) tail += 1;
  const [leftTo, rightTo] = [left.length - tail, right.length - tail];
  if (head === leftTo && head === rightTo) return [];
  const spans = edits(left.slice(head, leftTo), right.slice(head, rightTo));
  if (!spans) return [{ leftFrom: head, leftTo, rightFrom: head, rightTo }];
  return spans.map((span) => ({
    leftFrom: span.leftFrom + head,
    leftTo: span.leftTo + head,
    rightFrom: span.rightFrom + head,
    rightTo: span.rightTo + head,
  }));
}

/** The spans of the shortest edit; nothing if it takes too many steps. */
function edits(left: string[], right: string[]): Span[] | undefined {
  const most = Math.min(left.length + right.length, EDITS_MAX);
  const reach = new Int32Array(2 * most + 3);
  const middle = most + 1;
  const trail: Int32Array[] = [];
  for (let steps = 0; steps <= most; steps += 1) {
    trail.push(reach.slice(middle - steps - 1, middle + steps + 2));
    for (let diagonal = -steps; diagonal <= steps; diagonal += 2) {
      const down =
        diagonal === -steps ||
        (diagonal !== steps && at(reach, middle + diagonal - 1) < at(reach, middle + diagonal + 1));
      let x = down ? at(reach, middle + diagonal + 1) : at(reach, middle + diagonal - 1) + 1;
      while (x < left.length && x - diagonal < right.length && left[x] === right[x - diagonal])
        x += 1;
      reach[middle + diagonal] = x;
      if (x >= left.length && x - diagonal >= right.length)
        return backwards(trail, left.length, right.length);
    }
  }
  return undefined;
}

/** Follows the trail back from the end and joins neighbouring edits. */
function backwards(trail: Int32Array[], leftLength: number, rightLength: number): Span[] {
  const spans: Span[] = [];
  let [x, y] = [leftLength, rightLength];
  for (let steps = trail.length - 1; steps > 0; steps -= 1) {
    const reach = trail[steps] as Int32Array;
    const middle = steps + 1;
    const diagonal = x - y;
    const down =
      diagonal === -steps ||
      (diagonal !== steps && at(reach, middle + diagonal - 1) < at(reach, middle + diagonal + 1));
    const before = down ? diagonal + 1 : diagonal - 1;
    const fromX = at(reach, middle + before);
    const fromY = fromX - before;
    const [toX, toY] = down ? [fromX, fromY + 1] : [fromX + 1, fromY];
    const last = spans[0];
    if (last && last.leftFrom === toX && last.rightFrom === toY) {
      last.leftFrom = fromX;
      last.rightFrom = fromY;
    } else {
      spans.unshift({ leftFrom: fromX, leftTo: toX, rightFrom: fromY, rightTo: toY });
    }
    [x, y] = [fromX, fromY];
  }
  return spans;
}

function at(values: Int32Array, index: number): number {
  return values[index] ?? 0;
}
