// A README as blocks and spans: the common part of Markdown. Raw HTML is text like any other, so
// that nothing in a document can become active.

export type Span =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "em" | "del"; spans: Span[] }
  | { kind: "link"; href: string; spans: Span[] };

export type Block =
  | { kind: "heading"; level: number; spans: Span[] }
  | { kind: "paragraph"; spans: Span[] }
  | { kind: "code"; text: string }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "list"; ordered: boolean; start: number; items: Block[][] }
  | { kind: "table"; header: Span[][]; rows: Span[][][] }
  | { kind: "rule" };

const DEPTH_MAX = 8;
const ITEM = /^(\s{0,3})([-*+]|\d{1,9}[.)])(\s+|$)/;

/** The blocks of a document. */
export function parse(text: string): Block[] {
  return blocks(text.replace(/\r\n?/g, "\n").split("\n"), 0);
}

function blocks(source: string[], depth: number): Block[] {
  const found: Block[] = [];
  let at = 0;
  while (at < source.length) {
    const [block, next] = one(source, at, depth);
    if (block) found.push(block);
    at = next;
  }
  return found;
}

type Taken = [Block | undefined, number];

function one(source: string[], at: number, depth: number): Taken {
  const line = source[at] ?? "";
  if (line.trim() === "") return [undefined, at + 1];
  const fence = /^\s{0,3}(`{3,}|~{3,})/.exec(line)?.[1];
  if (fence) return fenced(source, at, fence);
  const heading = /^\s{0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/.exec(line);
  if (heading)
    return [{ kind: "heading", level: heading[1]!.length, spans: spans(heading[2] ?? "") }, at + 1];
  if (/^\s{0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) return [{ kind: "rule" }, at + 1];
  if (depth < DEPTH_MAX && /^\s{0,3}>/.test(line)) return quote(source, at, depth);
  if (depth < DEPTH_MAX && ITEM.test(line)) return list(source, at, depth);
  if (
    line.includes("|") &&
    /^\s*\|?[\s:|-]*-[\s:|-]*$/.test(source[at + 1] ?? "") &&
    (source[at + 1] ?? "").includes("|")
  ) {
    return table(source, at);
  }
  return paragraph(source, at);
}

function fenced(source: string[], at: number, fence: string): Taken {
  const body: string[] = [];
  let next = at + 1;
  while (next < source.length && !(source[next] ?? "").trim().startsWith(fence))
    body.push(source[next++] ?? "");
  return [{ kind: "code", text: body.join("\n") }, next + 1];
}

function quote(source: string[], at: number, depth: number): Taken {
  const inner: string[] = [];
  let next = at;
  while (next < source.length && /^\s{0,3}>/.test(source[next] ?? "")) {
    inner.push((source[next++] ?? "").replace(/^\s{0,3}> ?/, ""));
  }
  return [{ kind: "quote", blocks: blocks(inner, depth + 1) }, next];
}

function list(source: string[], at: number, depth: number): Taken {
  const marker = ITEM.exec(source[at] ?? "")?.[2] ?? "-";
  const ordered = /\d/.test(marker);
  const items: string[][] = [];
  let next = at;
  for (; next < source.length; next += 1) {
    const line = source[next] ?? "";
    const item = ITEM.exec(line);
    if (item && /\d/.test(item[2] ?? "") === ordered) {
      items.push([line.slice(item[0].length)]);
    } else if (/^\s{2,}\S/.test(line)) {
      items.at(-1)?.push(line.replace(/^( {2,4}|\t)/, ""));
    } else if (line.trim() === "" && /^(\s{2,}\S)/.test(source[next + 1] ?? "")) {
      items.at(-1)?.push("");
    } else if (line.trim() === "" && ITEM.test(source[next + 1] ?? "")) {
      continue;
    } else {
      break;
    }
  }
  const start = ordered ? Number.parseInt(marker, 10) : 1;
  return [
    { kind: "list", ordered, start, items: items.map((item) => blocks(item, depth + 1)) },
    next,
  ];
}

function table(source: string[], at: number): Taken {
  const header = cells(source[at] ?? "");
  const rows: Span[][][] = [];
  let next = at + 2;
  while (next < source.length && (source[next] ?? "").includes("|")) {
    const row = cells(source[next++] ?? "");
    rows.push(header.map((_, column) => row[column] ?? []));
  }
  return [{ kind: "table", header, rows }, next];
}

function cells(line: string): Span[][] {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => spans(cell.trim().replaceAll("\\|", "|")));
}

function paragraph(source: string[], at: number): Taken {
  const text = [(source[at] ?? "").trim()];
  let next = at + 1;
  while (next < source.length) {
    const line = source[next] ?? "";
    if (line.trim() === "" || /^\s{0,3}(#{1,6}\s|>|`{3,}|~{3,})/.test(line) || ITEM.test(line))
      break;
    text.push(line.trim());
    next += 1;
  }
  return [{ kind: "paragraph", spans: spans(text.join(" ")) }, next];
}

// Each alternative begins with a character of its own and cannot run over itself.
const INLINE =
  /\\([!-/:-@[-`{-~])|(`+)([^`]|[^`][\s\S]*?[^`])\2(?!`)|!?\[([^[\]]*)\]\(\s*<?([^\s<>()]*)>?[^()]*\)|<((?:https?:\/\/|mailto:)[^\s<>]+)>|(\*\*|__)(?=\S)([\s\S]*?\S)\7|(~~)(?=\S)([\s\S]*?\S)~~|([*_])(?=\S)([^*_]*[^\s*_])\11/;

/** The spans of a line. */
export function spans(text: string, depth = 0): Span[] {
  const found: Span[] = [];
  let rest = text;
  while (rest !== "") {
    const match = depth < DEPTH_MAX ? INLINE.exec(rest) : null;
    if (!match) break;
    if (match.index > 0) found.push({ kind: "text", text: rest.slice(0, match.index) });
    found.push(span(match, depth));
    rest = rest.slice(match.index + match[0].length);
  }
  if (rest !== "") found.push({ kind: "text", text: rest });
  return found;
}

function span(match: RegExpExecArray, depth: number): Span {
  const [whole, escaped, , code, label, target, auto, , strong, , del, , em] = match;
  if (escaped !== undefined) return { kind: "text", text: escaped };
  if (code !== undefined) return { kind: "code", text: code.trim() };
  if (label !== undefined)
    return { kind: "link", href: target ?? "", spans: spans(label, depth + 1) };
  if (auto !== undefined)
    return { kind: "link", href: auto, spans: [{ kind: "text", text: auto }] };
  if (strong !== undefined) return { kind: "strong", spans: spans(strong, depth + 1) };
  if (del !== undefined) return { kind: "del", spans: spans(del, depth + 1) };
  if (em !== undefined) return { kind: "em", spans: spans(em, depth + 1) };
  return { kind: "text", text: whole };
}

/** Where a link may lead: to another site by https, or to an object beside this one. */
export function target(
  href: string,
  folder: string,
): { outside: string } | { path: string } | undefined {
  if (/^(https?:\/\/|mailto:)/i.test(href)) return { outside: href };
  if (
    href === "" ||
    href.startsWith("#") ||
    href.startsWith("//") ||
    /^[a-z][a-z0-9+.-]*:/i.test(href)
  )
    return undefined;
  const path = href.replace(/[?#].*$/, "");
  const names = path.startsWith("/") ? [] : folder.split("/").filter((name) => name !== "");
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "." && name !== "") names.push(unescaped(name));
  }
  return names.length > 0 ? { path: names.join("/") + (path.endsWith("/") ? "/" : "") } : undefined;
}

function unescaped(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
