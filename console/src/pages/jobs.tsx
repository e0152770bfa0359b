// What several pages say of an import: its source, its state, its figures.
import type { Connector, ImportJob } from "../api/types";
import { Name } from "../components/Name";
import { Status } from "../components/Status";
import { duration } from "../format/time";

/** The name of what an import reads from. */
export function sourceName(job: ImportJob, connectors: Connector[] | undefined): string {
  if (job.source_repository) return `${job.source_organization ?? ""}/${job.source_repository}`;
  const connector = connectors?.find((one) => one.id === job.connector_id);
  return connector?.name ?? (connectors ? "a deleted connector" : "…");
}

/** Where an import reads, as one address. */
export function sourceAddress(job: ImportJob, connectors: Connector[] | undefined): string {
  if (job.source_repository)
    return `tilde://${job.source_organization ?? ""}/${job.source_repository}/${job.source_prefix}`;
  const connector = connectors?.find((one) => one.id === job.connector_id);
  if (!connector) return job.source_prefix || "(source)";
  const bare = connector.source_uri.replace(/^[a-z0-9]+:\/\/[^/]*\/?/, "");
  const base = connector.source_uri.endsWith("/")
    ? connector.source_uri
    : `${connector.source_uri}/`;
  if (bare && job.source_prefix.startsWith(bare))
    return base + job.source_prefix.slice(bare.length);
  return base + job.source_prefix;
}

export function JobStatus({ job }: { job: ImportJob }) {
  const phase = job.phase === "listing" && job.listed_all ? "copying" : job.phase;
  const word = job.status === "running" && phase !== "ended" ? phase : job.status;
  return <Status state={job.status}>{job.dry_run ? `dry run ${word}` : word}</Status>;
}

export function took(job: ImportJob): string {
  return duration(Date.parse(job.updated_at) - Date.parse(job.created_at));
}

export function FromTo({ from, to }: { from: string; to: string }) {
  return (
    <span className="from-to">
      <span>
        <Name text={from} />
      </span>
      <span aria-label="to" role="img">
        →
      </span>
      <span>
        <Name text={to || "/"} />
      </span>
    </span>
  );
}

/** The settings of a job, as the form of a new import reads them from its address. */
export function settings(job: ImportJob): Record<string, string> {
  const found: Record<string, string> = { destination: job.destination_path };
  if (job.connector_id) found["connector"] = job.connector_id;
  if (job.source_repository)
    found["repository"] = `${job.source_organization ?? ""}/${job.source_repository}`;
  if (job.source_prefix) found["prefix"] = job.source_prefix;
  if (job.commit_message) found["message"] = job.commit_message;
  if (job.use_versioning) found["versioning"] = "1";
  if (job.mode === "mirror") found["mode"] = "mirror";
  if (job.max_delete_percent != null) found["deletions"] = String(job.max_delete_percent);
  if (job.include.length > 0) found["include"] = job.include.join("\n");
  if (job.exclude.length > 0) found["exclude"] = job.exclude.join("\n");
  if (job.on_error === "skip") found["on_error"] = "skip";
  if (job.concurrency != null) found["concurrency"] = String(job.concurrency);
  return found;
}
