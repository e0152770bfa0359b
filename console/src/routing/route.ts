// The addresses of the console: what a URL means, and the URL of a place. Object keys may hold
// anything, and a browser rewrites `..` and empty segments of a URL; such a key goes into the query.

export type Route =
  | { page: "home" }
  | { page: "login" }
  | { page: "device" }
  | { page: "account" }
  | { page: "repositories"; org: string }
  | { page: "connectors"; org: string }
  | { page: "connectorNew"; org: string }
  | { page: "connector"; org: string; id: string }
  | { page: "allImports"; org: string }
  | { page: "members"; org: string }
  | { page: "keys"; org: string }
  | { page: "audit"; org: string }
  | { page: "tree"; org: string; repo: string; at: string; path: string; home: boolean }
  | { page: "object"; org: string; repo: string; at: string; path: string }
  | { page: "commits"; org: string; repo: string; path: string }
  | { page: "commit"; org: string; repo: string; id: string }
  | { page: "compare"; org: string; repo: string; left: string; right: string }
  | { page: "imports"; org: string; repo: string }
  | { page: "importNew"; org: string; repo: string }
  | { page: "import"; org: string; repo: string; job: string }
  | { page: "settings"; org: string; repo: string }
  | { page: "unknown" };

/** The latest commit, in a URL. Not a ref of the API, where it is the absence of one. */
export const HEAD = "head";

const ORGANIZATION_PAGES = ["connectors", "imports", "members", "keys", "audit"];

/** What `pathname` and `search` of a URL mean. */
export function parse(pathname: string, search: string): Route {
  const parts = pathname.split("/").slice(1).map(decoded);
  const [first, second, third, fourth] = parts;
  if (!first) return { page: "home" };
  if (second === undefined || second === "") return top(first);
  if (third === undefined || third === "") return underOrganization(first, second);
  if (ORGANIZATION_PAGES.includes(second)) {
    const own = second === "connectors" && parts.length === 3 && !REPOSITORY_PAGES.has(third);
    if (own && third === "new") return { page: "connectorNew", org: first };
    if (own) return { page: "connector", org: first, id: third };
  }
  return underRepository(first, second, third, fourth, parts.slice(4), new URLSearchParams(search));
}

const REPOSITORY_PAGES = new Set(["tree", "object", "commits", "compare", "imports", "settings"]);

function top(name: string): Route {
  if (name === "login" || name === "device" || name === "account") return { page: name };
  return { page: "repositories", org: name };
}

function underOrganization(org: string, name: string): Route {
  switch (name) {
    case "connectors":
    case "members":
    case "keys":
    case "audit":
      return { page: name, org };
    case "imports":
      return { page: "allImports", org };
    default:
      return { page: "tree", org, repo: name, at: HEAD, path: "", home: true };
  }
}

function underRepository(
  org: string,
  repo: string,
  page: string,
  detail: string | undefined,
  rest: string[],
  query: URLSearchParams,
): Route {
  const path = query.get("path") ?? rest.join("/");
  switch (page) {
    case "tree":
      return { page, org, repo, at: detail || HEAD, path, home: !detail };
    case "object":
      return { page, org, repo, at: detail || HEAD, path };
    case "commits":
      if (detail) return { page: "commit", org, repo, id: detail };
      return { page, org, repo, path: query.get("path") ?? "" };
    case "compare": {
      const [left = "", right = ""] = (detail ?? "").split("..");
      return { page, org, repo, left, right };
    }
    case "imports":
      if (!detail) return { page, org, repo };
      return detail === "new"
        ? { page: "importNew", org, repo }
        : { page: "import", org, repo, job: detail };
    case "settings":
      return { page, org, repo };
    default:
      return { page: "unknown" };
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Whether a browser keeps this path of an object as it is, between the slashes of a URL. */
export function fitsUrl(path: string): boolean {
  const segments = path.split("/");
  if (segments.at(-1) === "") segments.pop();
  return segments.every((segment) => segment !== "" && segment !== "." && segment !== "..");
}

function joined(...parts: string[]): string {
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

function withPath(base: string, path: string): string {
  if (path === "") return base;
  if (!fitsUrl(path)) return `${base}?path=${encodeURIComponent(path)}`;
  return `${base}/${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** The URL of each place. */
export const url = {
  organization: (org: string) => joined(org),
  connectors: (org: string) => joined(org, "connectors"),
  connectorNew: (org: string) => joined(org, "connectors", "new"),
  connector: (org: string, id: string) => joined(org, "connectors", id),
  allImports: (org: string) => joined(org, "imports"),
  members: (org: string) => joined(org, "members"),
  keys: (org: string) => joined(org, "keys"),
  audit: (org: string) => joined(org, "audit"),
  repository: (org: string, repo: string) =>
    ORGANIZATION_PAGES.includes(repo) ? joined(org, repo, "tree") : joined(org, repo),
  tree: (org: string, repo: string, ref: string, path: string) =>
    ref === HEAD && path === ""
      ? url.repository(org, repo)
      : withPath(joined(org, repo, "tree", ref), path),
  object: (org: string, repo: string, ref: string, path: string) =>
    withPath(joined(org, repo, "object", ref), path),
  commits: (org: string, repo: string, path = "") =>
    joined(org, repo, "commits") + (path ? `?path=${encodeURIComponent(path)}` : ""),
  commit: (org: string, repo: string, id: string) => joined(org, repo, "commits", id),
  compare: (org: string, repo: string, left: string, right: string) =>
    `${joined(org, repo, "compare")}/${encodeURIComponent(left)}..${encodeURIComponent(right)}`,
  imports: (org: string, repo: string) => joined(org, repo, "imports"),
  importNew: (org: string, repo: string, query: Record<string, string> = {}) => {
    const search = new URLSearchParams(query).toString();
    return joined(org, repo, "imports", "new") + (search ? `?${search}` : "");
  },
  import: (org: string, repo: string, job: string) => joined(org, repo, "imports", job),
  settings: (org: string, repo: string) => joined(org, repo, "settings"),
};
