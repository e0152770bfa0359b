// Which preview an object gets. Its name and type only suggest one; what is shown as a picture is
// decided by its first bytes, and nothing is ever shown as a page.

export type Kind = "text" | "csv" | "json" | "markdown" | "picture" | "parquet";

const BY_ENDING: [RegExp, Kind][] = [
  [/\.(csv|tsv|psv)$/i, "csv"],
  [/\.(json|geojson|ipynb)$/i, "json"],
  [/\.(md|markdown)$/i, "markdown"],
  [/\.(png|jpe?g|gif|webp|avif)$/i, "picture"],
  [/\.(parquet|pq)$/i, "parquet"],
];
const BY_TYPE: [RegExp, Kind][] = [
  [/^text\/(csv|tab-separated-values)/i, "csv"],
  [/^application\/([\w.-]+\+)?json/i, "json"],
  [/^text\/markdown/i, "markdown"],
  [/^image\/(png|jpeg|gif|webp|avif)/i, "picture"],
  [/^application\/(vnd\.apache\.parquet|x-parquet)/i, "parquet"],
];

/** The preview that is tried first; text, or what it is instead, otherwise. */
export function kind(path: string, contentType: string): Kind {
  const found =
    BY_ENDING.find(([ending]) => ending.test(path)) ??
    BY_TYPE.find(([type]) => type.test(contentType));
  return found?.[1] ?? "text";
}

/** The type of a raster picture by its signature; nothing for everything else, SVG included. */
export function pictureType(bytes: Uint8Array): string | undefined {
  const text = (from: number, to: number) => String.fromCharCode(...bytes.slice(from, to));
  if (text(0, 8) === "\x89PNG\r\n\x1a\n") return "image/png";
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "image/jpeg";
  if (text(0, 6) === "GIF87a" || text(0, 6) === "GIF89a") return "image/gif";
  if (text(0, 4) === "RIFF" && text(8, 12) === "WEBP") return "image/webp";
  if (text(4, 8) === "ftyp" && /^avi[fs]$/.test(text(8, 12))) return "image/avif";
  return undefined;
}

/** The text of the bytes; nothing if they are none. With `cut` a character may be torn at the end. */
export function decode(bytes: Uint8Array, cut: boolean): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: cut });
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Lines of sixteen bytes, in numbers and in letters. */
export function hexLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const some = [...bytes.slice(at, at + 16)];
    const numbers = some
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join(" ")
      .padEnd(47);
    const letters = some
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·"))
      .join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${numbers}  ${letters}`);
  }
  return lines.join("\n");
}
