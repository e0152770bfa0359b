// Text with the numbers of its lines.
import { useMemo } from "react";

/** What turns text around; shown by its number, so that a text reads as a program would read it. */
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function unturned(text: string): string {
  return text.replace(
    TURNING,
    (char) => `⟨U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`,
  );
}

/** Lines that are drawn. */
const LINES_MAX = 5_000;
/** Characters of a line that are drawn. */
const LINE_CHARS_MAX = 4_000;

export function TextView({ text, label }: { text: string; label: string }) {
  const { numbers, shown, left } = useMemo(() => {
    const all = text.split("\n");
    if (all.at(-1) === "") all.pop();
    const some = all.slice(0, LINES_MAX);
    return {
      numbers: some.map((_, at) => at + 1).join("\n"),
      shown: unturned(
        some
          .map((line) =>
            line.length > LINE_CHARS_MAX ? `${line.slice(0, LINE_CHARS_MAX)}…` : line,
          )
          .join("\n"),
      ),
      left: all.length - some.length,
    };
  }, [text]);
  return (
    <div className="preview-box" tabIndex={0} role="region" aria-label={label}>
      <div className="text">
        <div className="text-numbers" aria-hidden="true">
          {numbers}
        </div>
        <div className="text-lines">{shown}</div>
      </div>
      {left > 0 && <div className="preview-head">{left} more lines are not shown.</div>}
    </div>
  );
}
