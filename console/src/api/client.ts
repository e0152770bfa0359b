// One request to the API: JSON in and out, errors as the API words them. The browser's session is
// a cookie; what changes something proves that it comes from this page with a header.

const BASE = "/api/v1";

/** An answer that says no, or none at all (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string;

  constructor(status: number, code: string, message: string, requestId = "") {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

type Query = Record<string, string | number | boolean | undefined>;
export type Options = {
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};
type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A path of the API, its parts escaped: at`/organizations/${org}`. */
export function at(texts: TemplateStringsArray, ...parts: string[]): string {
  return texts
    .map(
      (text, index) => text + (index < parts.length ? encodeURIComponent(parts[index] ?? "") : ""),
    )
    .join("");
}

/** The address of a path of the API, on this origin. */
export function address(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) search.set(name, String(value));
  const text = search.toString();
  return BASE + path + (text ? `?${text}` : "");
}

/** The header that proves where a change comes from; nothing while nobody is signed in. */
export function proof(): Record<string, string> {
  const cookie = document.cookie.split("; ").find((one) => one.startsWith("tilde_csrf="));
  return cookie ? { "X-CSRF-Token": decodeURIComponent(cookie.slice("tilde_csrf=".length)) } : {};
}

/** Called when the API says that nobody is signed in. */
let signedOut: () => void = () => {};
export function onSignedOut(handler: () => void): void {
  signedOut = handler;
}

/** The raw answer to a request that succeeded. */
export async function send(method: Method, path: string, options: Options = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  if (method !== "GET" && method !== "HEAD") Object.assign(headers, proof());
  const init: RequestInit = { method, headers, credentials: "same-origin" };
  if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(options.body);
  }
  if (options.signal) init.signal = options.signal;
  let response: Response;
  try {
    response = await fetch(address(path, options.query), init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(
      0,
      "UNREACHABLE",
      "The server does not answer. Check that it runs and that you are online, then try again.",
    );
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== "/auth/login" && path !== "/auth/me") signedOut();
  throw await failure(response);
}

/** The body of the answer; nothing for an answer without one. */
export async function call<T>(method: Method, path: string, options: Options = {}): Promise<T> {
  const response = await send(method, path, options);
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** What the API says in an answer that is an error. */
export async function failure(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    const { message, code, request_id } = JSON.parse(text) as Record<string, string>;
    return new ApiError(response.status, code ?? "", sentence(message ?? ""), request_id);
  } catch {
    return new ApiError(response.status, "", `The server answered with status ${response.status}.`);
  }
}

/** The words of an error of the API, as a sentence. */
export function sentence(message: string): string {
  if (message === "") return "The server gave no reason.";
  return message.charAt(0).toUpperCase() + message.slice(1) + (/[.!?)]$/.test(message) ? "" : ".");
}
