// Names that come from elsewhere. What cannot be seen or turns the text around is made visible, so
// that a name never looks like another one.

/** A stretch of a name: text as it is, or one character that is shown by its number. */
export type Piece = { text: string } | { hidden: string; code: string };

// Controls, the line and paragraph separators, invisible and bidirectional format characters.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\u115f\u1160\u3164\uffa0\u2800]/u;
const SPACES = /\p{Zs}/u;

/** The pieces of a name. Spaces other than a plain one inside the name are shown, too. */
export function pieces(name: string): Piece[] {
  const chars = [...name];
  const found: Piece[] = [];
  let text = "";
  chars.forEach((char, at) => {
    const edge =
      at === 0 || at === chars.length - 1 || chars[at + 1] === " " || chars[at - 1] === " ";
    const odd = SPACES.test(char) && (char !== " " || edge);
    if (!HIDDEN.test(char) && !odd) {
      text += char;
      return;
    }
    if (text) found.push({ text });
    text = "";
    found.push({ hidden: char, code: code(char) });
  });
  if (text) found.push({ text });
  return found;
}

const SHORT: Record<string, string> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\0": "\\0",
  " ": "SP",
};

function code(char: string): string {
  return (
    SHORT[char] ?? `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`
  );
}

/** The name in one line of plain text, for titles and labels. */
export function plain(name: string): string {
  return pieces(name)
    .map((piece) => ("text" in piece ? piece.text : `⟨${piece.code}⟩`))
    .join("");
}

/** The folders above a path: each one's name and its whole prefix, with the final slash. */
export function ancestors(path: string): { name: string; prefix: string }[] {
  const names = path.split("/").slice(0, -1);
  return names.map((name, at) => ({ name, prefix: `${names.slice(0, at + 1).join("/")}/` }));
}

/** What a path is called below `prefix`. */
export function below(path: string, prefix: string): string {
  return path.startsWith(prefix) ? path.slice(prefix.length) : path;
}

/** The first characters of an id. */
export function short(id: string): string {
  return id.slice(0, 10);
}
