// Every request that the console makes, by what it is about.
import { address, at, call, send } from "./client";
import type {
  ApiKey,
  ApiKeyCreated,
  AuditRecord,
  Commit,
  Connector,
  ImportJob,
  ImportRequest,
  ListingEntry,
  Me,
  Membership,
  Organization,
  Paged,
  PlannedChange,
  Repository,
  Results,
  User,
} from "./types";

type Page = { after?: string | undefined; amount?: number; signal?: AbortSignal };
const paged = ({ after, amount }: Page) => ({ after: after || undefined, amount });

export const auth = {
  me: () => call<Me>("GET", "/auth/me"),
  login: (login: string, password: string) =>
    call<{ user: User }>("POST", "/auth/login", { body: { login, password } }),
  logout: () => call<void>("POST", "/auth/logout"),
  update: (changes: { full_name?: string; bio?: string }) =>
    call<User>("PATCH", "/auth/me", { body: changes }),
  password: (body: { new_password: string; current_password?: string }) =>
    call<void>("PUT", "/auth/me/password", { body }),
  keys: () => call<Results<ApiKey>>("GET", "/auth/keys"),
  createKey: (body: { name: string; description?: string }) =>
    call<ApiKeyCreated>("POST", "/auth/keys", { body }),
  revokeKey: (id: string) => call<void>("DELETE", at`/auth/keys/${id}`),
  confirmDevice: (user_code: string) =>
    call<unknown>("POST", "/auth/device/confirm", { body: { user_code } }),
};

export const organizations = {
  create: (name: string, display_name: string) =>
    call<Organization>("POST", "/organizations", { body: { name, display_name } }),
  checkName: (name: string) =>
    call<{ available: boolean; reason: string }>("GET", "/organizations/check-name", {
      query: { name },
    }),
  members: (org: string) => call<Results<Membership>>("GET", at`/organizations/${org}/members`),
  addMember: (org: string, username: string) =>
    call<unknown>("POST", at`/organizations/${org}/members`, { body: { username } }),
  removeMember: (org: string, user: string) =>
    call<void>("DELETE", at`/organizations/${org}/members/${user}`),
  audit: (org: string, page: Page) =>
    call<Paged<AuditRecord>>("GET", at`/organizations/${org}/audit`, { query: paged(page) }),
};

export type ConnectorConfig = Record<string, string>;

export const connectors = {
  list: (org: string) => call<Results<Connector>>("GET", at`/organizations/${org}/connectors`),
  get: (org: string, id: string) =>
    call<Connector>("GET", at`/organizations/${org}/connectors/${id}`),
  create: (
    org: string,
    body: { name: string; type: string; source_uri: string; config: ConnectorConfig },
  ) => call<Connector>("POST", at`/organizations/${org}/connectors`, { body }),
  update: (
    org: string,
    id: string,
    body: { name?: string; config?: ConnectorConfig; disabled?: boolean },
  ) => call<Connector>("PATCH", at`/organizations/${org}/connectors/${id}`, { body }),
  remove: (org: string, id: string) =>
    call<void>("DELETE", at`/organizations/${org}/connectors/${id}`),
  test: (org: string, id: string) =>
    call<unknown>("POST", at`/organizations/${org}/connectors/${id}/test`),
  testConfig: (org: string, body: { type: string; source_uri: string; config: ConnectorConfig }) =>
    call<unknown>("POST", at`/organizations/${org}/connectors:test`, { body }),
};

const inside = (org: string, repo: string) => at`/organizations/${org}/repositories/${repo}`;

export const repositories = {
  list: (org: string, page: Page) =>
    call<Paged<Repository>>("GET", at`/organizations/${org}/repositories`, { query: paged(page) }),
  get: (org: string, repo: string) => call<Repository>("GET", inside(org, repo)),
  create: (org: string, body: { name: string; description?: string }) =>
    call<Repository>("POST", at`/organizations/${org}/repositories`, { body }),
  update: (
    org: string,
    repo: string,
    body: { description?: string; retention_days?: number | null },
  ) => call<Repository>("PUT", inside(org, repo), { body }),
  remove: (org: string, repo: string) => call<void>("DELETE", inside(org, repo)),
  connectors: (org: string, repo: string) =>
    call<Results<Connector>>("GET", `${inside(org, repo)}/connectors`),
  attach: (org: string, repo: string, connector_id: string) =>
    call<unknown>("POST", `${inside(org, repo)}/connectors`, { body: { connector_id } }),
  detach: (org: string, repo: string, id: string) =>
    call<void>("DELETE", `${inside(org, repo)}${at`/connectors/${id}`}`),
};

export const commits = {
  log: (
    org: string,
    repo: string,
    query: { ref?: string; prefix?: string; object?: string } & Page,
  ) => {
    const { signal, after, amount, ...rest } = query;
    const options = { query: { ...rest, ...paged({ after, amount }) } };
    return call<Paged<Commit>>(
      "GET",
      `${inside(org, repo)}/log`,
      signal ? { ...options, signal } : options,
    );
  },
  get: (org: string, repo: string, id: string) =>
    call<Commit>("GET", `${inside(org, repo)}${at`/commits/${id}`}`),
  revert: (org: string, repo: string, id: string, message?: string) =>
    call<{ commit_id: string }>("POST", `${inside(org, repo)}${at`/commits/${id}/revert`}`, {
      body: message ? { message } : {},
    }),
  diff: (
    org: string,
    repo: string,
    query: { left?: string; right: string; prefix?: string } & Page,
  ) => {
    const { signal, after, amount, left, ...rest } = query;
    const options = { query: { ...rest, left: left || undefined, ...paged({ after, amount }) } };
    return call<Paged<ListingEntry>>(
      "GET",
      `${inside(org, repo)}/diff`,
      signal ? { ...options, signal } : options,
    );
  },
};

export type Where = { org: string; repo: string; ref?: string | undefined };

export const objects = {
  list: ({ org, repo, ref }: Where, query: { prefix?: string; delimiter?: string } & Page) => {
    const { signal, after, amount, prefix, delimiter } = query;
    const options = {
      query: { ref, prefix: prefix || undefined, delimiter, ...paged({ after, amount }) },
    };
    return call<Paged<ListingEntry>>(
      "GET",
      `${inside(org, repo)}/objects`,
      signal ? { ...options, signal } : options,
    );
  },
  /** Where the bytes are, for who is signed in. */
  address: ({ org, repo, ref }: Where, path: string) =>
    address(`${inside(org, repo)}/object`, { path, ref }),
  head: async ({ org, repo, ref }: Where, path: string) => {
    const { headers } = await send("HEAD", `${inside(org, repo)}/object`, { query: { path, ref } });
    return { size: Number(headers.get("Content-Length") ?? 0), etag: headers.get("ETag") ?? "" };
  },
  /** The bytes from `start` to before `end`; fewer where the object ends. */
  bytes: async (
    { org, repo, ref }: Where,
    path: string,
    start: number,
    end: number,
    signal?: AbortSignal,
  ) => {
    const headers = { Accept: "*/*", Range: `bytes=${start}-${end - 1}` };
    const query = { path, ref };
    const response = await send(
      "GET",
      `${inside(org, repo)}/object`,
      signal ? { query, headers, signal } : { query, headers },
    );
    return response.arrayBuffer();
  },
};

export const imports = {
  list: (org: string, repo: string, page: Page) =>
    call<Paged<ImportJob>>("GET", `${inside(org, repo)}/import`, { query: paged(page) }),
  get: (org: string, repo: string, job: string) =>
    call<ImportJob>("GET", `${inside(org, repo)}${at`/import/${job}`}`),
  start: (org: string, repo: string, body: ImportRequest, idempotency: string) =>
    call<{ job_id: string }>("POST", `${inside(org, repo)}/import`, {
      body,
      headers: { "Idempotency-Key": idempotency },
    }),
  cancel: (org: string, repo: string, job: string) =>
    call<ImportJob>("POST", `${inside(org, repo)}${at`/import/${job}/cancel`}`),
  retry: (org: string, repo: string, job: string) =>
    call<{ job_id: string }>("POST", `${inside(org, repo)}${at`/import/${job}/retry`}`),
  changes: (org: string, repo: string, job: string, page: Page) =>
    call<Paged<PlannedChange>>("GET", `${inside(org, repo)}${at`/import/${job}/changes`}`, {
      query: paged(page),
    }),
  events: (org: string, repo: string, job: string) =>
    address(`${inside(org, repo)}${at`/import/${job}/events`}`),
};

type Part = { part_number: number; etag: string };
type Landed = { upload_token: string; checksum?: string; content_type: string; size_bytes: number };

export const sessions = {
  open: (org: string, repo: string) =>
    call<{ session_id: string }>("POST", `${inside(org, repo)}/sessions`),
  commit: (org: string, repo: string, session: string, message: string) =>
    call<{ commit_id?: string }>("POST", `${inside(org, repo)}${at`/sessions/${session}`}`, {
      body: { message, metadata: {} },
    }),
  rollback: (org: string, repo: string, session: string) =>
    call<void>("DELETE", `${inside(org, repo)}${at`/sessions/${session}`}`),
  remove: (org: string, repo: string, session_id: string, paths: string[]) =>
    call<{ deleted: number }>("POST", `${inside(org, repo)}/objects/delete`, {
      query: { session_id },
      body: { paths },
    }),
  copy: (
    org: string,
    repo: string,
    session_id: string,
    source_path: string,
    destination_path: string,
  ) =>
    call<unknown>("POST", `${inside(org, repo)}/object/copy`, {
      query: { session_id, source_path, destination_path },
    }),
  beginUpload: (org: string, repo: string, session_id: string, path: string) =>
    call<{ upload_url: string; upload_token: string }>("PUT", `${inside(org, repo)}/object`, {
      query: { session_id, path },
    }),
  finishUpload: (org: string, repo: string, session_id: string, path: string, body: Landed) =>
    call<unknown>("POST", `${inside(org, repo)}/object/finalize`, {
      query: { session_id, path },
      body,
    }),
  beginParts: (org: string, repo: string, session_id: string, path: string) =>
    call<{ upload_id: string; upload_token: string }>(
      "POST",
      `${inside(org, repo)}/object/multipart`,
      { query: { session_id, path } },
    ),
  part: (
    org: string,
    repo: string,
    query: {
      session_id: string;
      path: string;
      upload_id: string;
      upload_token: string;
      part_number: number;
    },
  ) => call<{ upload_url: string }>("GET", `${inside(org, repo)}/object/multipart/part`, { query }),
  finishParts: (
    org: string,
    repo: string,
    session_id: string,
    path: string,
    body: Landed & { upload_id: string; parts: Part[] },
  ) =>
    call<unknown>("POST", `${inside(org, repo)}/object/multipart/complete`, {
      query: { session_id, path },
      body,
    }),
};
