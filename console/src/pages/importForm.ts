// The form of an import: its fields, from an address and to a request.
import type { ImportRequest } from "../api/types";

export type Fields = {
  from: "connector" | "repository";
  connector: string;
  repository: string;
  prefix: string;
  destination: string;
  message: string;
  versioning: boolean;
  mode: "overlay" | "mirror";
  deletions: string;
  include: string;
  exclude: string;
  skip: boolean;
  concurrency: string;
};

/** The fields as an address names them; what it does not name is as for a first import. */
export function fromQuery(search: string): Fields {
  const query = new URLSearchParams(search);
  const text = (name: string) => query.get(name) ?? "";
  return {
    from: query.has("repository") ? "repository" : "connector",
    connector: text("connector"),
    repository: text("repository"),
    prefix: text("prefix"),
    destination: text("destination"),
    message: text("message"),
    versioning: query.has("versioning"),
    mode: query.get("mode") === "mirror" ? "mirror" : "overlay",
    deletions: text("deletions"),
    include: text("include"),
    exclude: text("exclude"),
    skip: query.get("on_error") === "skip",
    concurrency: text("concurrency"),
  };
}

function globs(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** The request that the fields stand for. */
export function request(fields: Fields, dryRun: boolean): ImportRequest {
  const [organization = "", ...rest] = fields.repository.split("/");
  const found: ImportRequest = { destination_path: fields.destination };
  if (fields.from === "connector") {
    found.connector_id = fields.connector;
    if (fields.versioning) found.use_versioning = true;
  } else {
    found.source_organization = organization;
    found.source_repository = rest.join("/");
  }
  if (fields.prefix) found.source_prefix = fields.prefix;
  if (fields.message.trim()) found.commit_message = fields.message;
  if (fields.mode === "mirror") {
    found.mode = "mirror";
    if (fields.deletions) found.max_delete_percent = Number(fields.deletions);
  }
  const [include, exclude] = [globs(fields.include), globs(fields.exclude)];
  if (include.length > 0) found.include = include;
  if (exclude.length > 0) found.exclude = exclude;
  if (fields.skip) found.on_error = "skip";
  if (fields.concurrency) found.concurrency = Number(fields.concurrency);
  if (dryRun) found.dry_run = true;
  return found;
}
