// What is to be uploaded: where each file goes, and in which pieces.

/** From this size on a file goes up in parts; what the API's own clients do. */
export const PART_BYTES = 64 * 1024 * 1024;
/** Parts that one object may have. */
export const PARTS_MAX = 10_000;
export const PATH_BYTES_MAX = 2_048;

export type Planned = { file: File; path: string };
export type Part = { number: number; start: number; end: number };

/** The path of a file in a folder, which ends with a slash or is empty. */
export function pathOf(folder: string, name: string): string {
  return folder + name.replace(/^\/+/, "");
}

/** Why there can be no object of this path; nothing if there can. */
export function objection(path: string): string | undefined {
  if (path === "") return "A path cannot be empty.";
  if (path.includes("\0")) return "A path cannot hold a NUL character.";
  if (new TextEncoder().encode(path).length > PATH_BYTES_MAX)
    return `A path can have ${PATH_BYTES_MAX} bytes at most.`;
  return undefined;
}

/** The parts of a file; nothing for one that goes up whole. */
export function parts(bytes: number): Part[] | undefined {
  if (bytes < PART_BYTES) return undefined;
  const each = Math.max(PART_BYTES, Math.ceil(bytes / PARTS_MAX));
  return Array.from({ length: Math.ceil(bytes / each) }, (_, at) => ({
    number: at + 1,
    start: at * each,
    end: Math.min(bytes, (at + 1) * each),
  }));
}

/** The address on this origin: the server may know itself by another name than the browser does. */
export function sameOrigin(upload: string): string {
  const { pathname, search } = new URL(upload, "http://server.invalid");
  return pathname + search;
}

/** At most `size` of the items at a time. */
export function batches<T>(items: T[], size: number): T[][] {
  const found: T[][] = [];
  for (let at = 0; at < items.length; at += size) found.push(items.slice(at, at + size));
  return found;
}

/** A message for a commit that says what it does, until someone has a better one. */
export function message(verb: string, paths: string[]): string {
  const [first = ""] = paths;
  const name =
    first
      .split("/")
      .filter((part) => part !== "")
      .at(-1) ?? first;
  return paths.length === 1 ? `${verb} ${name}` : `${verb} ${paths.length} objects`;
}
