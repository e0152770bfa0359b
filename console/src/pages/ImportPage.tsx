// One import: how far, how fast, what went wrong; then the commit.
import { useState } from "react";
import { imports } from "../api/endpoints";
import { client, useConnectors, useMembers } from "../api/queries";
import type { ImportJob } from "../api/types";
import { type Sample, ended, useJob } from "../api/useJob";
import { Ago } from "../components/Ago";
import { Copy, Id, copy } from "../components/Copy";
import { Confirm } from "../components/Dialog";
import { RepositoryHead, useTitle } from "../components/Head";
import { Name } from "../components/Name";
import { Failure, Note, Waiting, useAction } from "../components/Note";
import { RateChart } from "../components/RateChart";
import { short } from "../format/name";
import { count, counted, percent, size } from "../format/size";
import { clock, duration } from "../format/time";
import { Link } from "../routing/Link";
import { navigate } from "../routing/history";
import { url } from "../routing/route";
import { DryRun } from "./DryRun";
import { FromTo, JobStatus, settings, sourceAddress, sourceName, took } from "./jobs";

type Props = { org: string; repo: string; job: string };

export function ImportPage({ org, repo, job: id }: Props) {
  const { job, samples, live } = useJob(org, repo, id);
  useTitle(job.data ? `Import ${job.data.status} in ${repo}` : "Import");
  return (
    <>
      <RepositoryHead
        org={org}
        repo={repo}
        tab="imports"
        actions={job.data && <Actions org={org} repo={repo} job={job.data} />}
      />
      {job.isPending && <Waiting />}
      <Failure error={job.error} again={() => void job.refetch()} />
      {job.data && (
        <>
          <Run org={org} repo={repo} job={job.data} samples={samples} live={live} />
          <Outcome org={org} repo={repo} job={job.data} />
          {job.data.preview && <DryRun org={org} repo={repo} job={job.data} />}
          <Asked job={job.data} />
        </>
      )}
    </>
  );
}

function Actions({ org, repo, job }: { org: string; repo: string; job: ImportJob }) {
  const [asking, setAsking] = useState(false);
  const refresh = () => void client.invalidateQueries({ queryKey: ["job", org, repo, job.id] });
  const cancel = useAction(async () => {
    await imports.cancel(org, repo, job.id);
    setAsking(false);
    refresh();
  });
  const retry = useAction(async () => {
    const { job_id } = await imports.retry(org, repo, job.id);
    refresh();
    navigate(url.import(org, repo, job_id));
  });
  return (
    <>
      {!ended(job) && (
        <button type="button" className="button button-danger" onClick={() => setAsking(true)}>
          Cancel
        </button>
      )}
      {(job.status === "failed" || job.status === "canceled") && (
        <button
          type="button"
          className="button button-main"
          disabled={retry.busy}
          onClick={retry.run}
        >
          Retry
        </button>
      )}
      {ended(job) && (
        <Link className="button" to={url.importNew(org, repo, settings(job))}>
          Run again
        </Link>
      )}
      <Failure error={retry.error} />
      {asking && (
        <Confirm
          title="Cancel this import"
          action="Cancel the import"
          busy={cancel.busy}
          onConfirm={cancel.run}
          onClose={() => setAsking(false)}
        >
          <p className="soft">
            Nothing of it becomes visible. What is copied already is kept for 7 days, so a retry
            fetches only the rest.
          </p>
          <Failure error={cancel.error} />
        </Confirm>
      )}
    </>
  );
}

function Run({
  org,
  repo,
  job,
  samples,
  live,
}: {
  org: string;
  repo: string;
  job: ImportJob;
  samples: Sample[];
  live: boolean;
}) {
  const connectors = useConnectors(org);
  const members = useMembers(org);
  const over = ended(job);
  const who =
    members.data?.find((one) => one.user_id === job.created_by)?.username ?? short(job.created_by);
  const [done, all] = [job.bytes_imported, job.bytes_total];
  const share =
    job.bytes_total > 0 ? percent(done, all) : percent(job.objects_imported, job.objects_total);
  return (
    <section className="run" aria-label="Progress">
      <div className="run-top">
        <div className="run-line">
          <FromTo
            from={sourceAddress(job, connectors.data)}
            to={`${repo}/${job.destination_path}`}
          />
          <JobStatus job={job} />
        </div>
        {!over && (
          <div
            className={job.listed_all ? "progress" : "progress progress-unknown"}
            role="progressbar"
            aria-label="Copied"
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={job.listed_all ? share : undefined}
          >
            <div style={job.listed_all ? { width: `${share}%` } : undefined} />
          </div>
        )}
        <Figures job={job} share={share} over={over} />
        {!over && <Phases job={job} />}
      </div>
      <div className="run-bottom">
        <div>
          {over && samples.length < 2 ? (
            <Summary job={job} />
          ) : (
            <RateChart samples={samples} over={over} />
          )}
        </div>
        <dl className="facts">
          <dt>Retries</dt>
          <dd className="tabular">{count(job.retries)}</dd>
          <dt>Source</dt>
          <dd>
            {job.connector_id ? (
              <Link to={url.connector(org, job.connector_id)}>
                <Name text={sourceName(job, connectors.data)} />
              </Link>
            ) : (
              <Name text={sourceName(job, connectors.data)} />
            )}
          </dd>
          <dt>Started</dt>
          <dd>
            <Ago time={job.created_at} /> by {who}
          </dd>
          {over && (
            <>
              <dt>Took</dt>
              <dd>{took(job)}</dd>
            </>
          )}
          {job.source_commit_id && (
            <>
              <dt>Source commit</dt>
              <dd>
                <Id id={job.source_commit_id} what="the commit id" />
              </dd>
            </>
          )}
          <dt>Job</dt>
          <dd>
            <Id id={job.id} what="the job id" />
            {!over && !live && <span className="faint"> not live, trying again</span>}
          </dd>
        </dl>
      </div>
    </section>
  );
}

function Figures({ job, share, over }: { job: ImportJob; share: number; over: boolean }) {
  const plus = job.listed_all || over ? "" : "+";
  return (
    <div className="run-line">
      <div className="run-figures">
        {!over && job.listed_all && (
          <span>
            <b>{share} %</b>
          </span>
        )}
        <span>
          <b>{count(job.dry_run ? job.objects_total : job.objects_imported)}</b>
          {!over && !job.dry_run && ` / ${count(job.objects_total)}${plus}`} objects
        </span>
        <span>
          <b>{size(job.dry_run ? job.bytes_total : job.bytes_imported)}</b>
          {!over && !job.dry_run && ` / ${size(job.bytes_total)}${plus}`}
        </span>
        {!over && job.bytes_per_second > 0 && <span>{size(job.bytes_per_second)}/s</span>}
        {!over && job.eta_seconds != null && <span>~ {clock(job.eta_seconds)} left</span>}
      </div>
      <div className="run-figures soft">
        <span title="Unchanged, so not read again">carried {count(job.objects_unchanged)}</span>
        <span title="Vanished from the source before they were read">
          missing {count(job.objects_missing)}
        </span>
        {job.objects_skipped > 0 && (
          <span title="Could not be read and were left out">
            skipped {count(job.objects_skipped)}
          </span>
        )}
        {job.objects_deleted > 0 && (
          <span title="Removed, because the source does not have them">
            deleted {count(job.objects_deleted)}
          </span>
        )}
      </div>
    </div>
  );
}

function Phases({ job }: { job: ImportJob }) {
  const phase = job.phase;
  const steps: [string, boolean, boolean][] = [
    ["waiting", phase === "waiting", phase !== "waiting"],
    ["listing", phase === "listing", job.listed_all],
    [
      "copying",
      phase === "copying" || (phase === "listing" && (job.listed_all || job.objects_imported > 0)),
      phase === "committing",
    ],
    ["committing", phase === "committing", false],
  ];
  return (
    <div className="run-phases">
      {steps.map(([name, now, past]) => (
        <span key={name} aria-current={now && !past ? "step" : undefined}>
          {past ? `${name} done` : name}
        </span>
      ))}
    </div>
  );
}

function Summary({ job }: { job: ImportJob }) {
  const ms = Date.parse(job.updated_at) - Date.parse(job.created_at);
  const rate = ms > 0 ? (job.bytes_imported / ms) * 1000 : 0;
  if (job.dry_run)
    return (
      <p className="soft">
        A dry run: {counted(job.objects_total, "object")} listed, {size(job.bytes_total)}. Nothing
        was read or changed.
      </p>
    );
  return (
    <p className="soft">
      {counted(job.objects_imported, "object")} and {size(job.bytes_imported)} in {duration(ms)},{" "}
      {size(rate)}/s on the whole
      {job.objects_unchanged > 0 && `; ${count(job.objects_unchanged)} of them were here already`}.
    </p>
  );
}

function Outcome({ org, repo, job }: { org: string; repo: string; job: ImportJob }) {
  return (
    <>
      {job.status === "completed" && !job.dry_run && (
        <Note
          tone="good"
          title={
            job.commit_id ? "It landed as one commit." : "Nothing matched, so there is no commit."
          }
          actions={
            job.commit_id && (
              <>
                <Link className="button button-small" to={url.commit(org, repo, job.commit_id)}>
                  See the commit {short(job.commit_id)}
                </Link>
                <Link
                  className="button button-small"
                  to={url.tree(org, repo, job.commit_id, job.destination_path)}
                >
                  Browse it
                </Link>
              </>
            )
          }
        />
      )}
      {job.status === "failed" && (
        <Note
          tone="bad"
          title="The import failed. Nothing of it is visible."
          actions={
            <button
              type="button"
              className="button button-small"
              onClick={() => void copy(job.error ?? "", "the error")}
            >
              Copy the error
            </button>
          }
        >
          {(job.error ?? "").split("\n").map((line, at) => (
            <div key={at}>
              <Name text={line} />
            </div>
          ))}
        </Note>
      )}
      {job.status === "canceled" && (
        <Note tone="warn" title="The import was canceled. Nothing of it is visible.">
          What was copied is kept for 7 days; retry fetches only the rest.
        </Note>
      )}
      {job.skipped.length > 0 && (
        <section className="section">
          <h2>Left out, {counted(job.objects_skipped, "object")}</h2>
          <table className="stack-small">
            <thead>
              <tr>
                <th scope="col">Key</th>
                <th scope="col">Reason</th>
              </tr>
            </thead>
            <tbody>
              {job.skipped.map((one, at) => (
                <tr key={at}>
                  <td className="mono long">
                    <Name text={one.key} /> <Copy text={one.key} what="the key" />
                  </td>
                  <td>
                    <Name text={one.reason} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {job.objects_skipped > job.skipped.length && (
            <p className="faint">The first {count(job.skipped.length)} are named.</p>
          )}
        </section>
      )}
    </>
  );
}

function Asked({ job }: { job: ImportJob }) {
  return (
    <section className="section">
      <h2>As it was asked for</h2>
      <dl className="facts">
        <dt>Message</dt>
        <dd>
          <Name text={job.commit_message || "(names the source)"} />
        </dd>
        <dt>Mode</dt>
        <dd>
          {job.mode}
          {job.max_delete_percent != null && `, deleting ${job.max_delete_percent} % at most`}
        </dd>
        {job.source_prefix && (
          <>
            <dt>Only below</dt>
            <dd className="mono">
              <Name text={job.source_prefix} />
            </dd>
          </>
        )}
        {job.include.length > 0 && (
          <>
            <dt>Include</dt>
            <dd className="mono">
              {job.include.map((glob, at) => (
                <div key={at}>
                  <Name text={glob} />
                </div>
              ))}
            </dd>
          </>
        )}
        {job.exclude.length > 0 && (
          <>
            <dt>Exclude</dt>
            <dd className="mono">
              {job.exclude.map((glob, at) => (
                <div key={at}>
                  <Name text={glob} />
                </div>
              ))}
            </dd>
          </>
        )}
        <dt>Versions</dt>
        <dd>{job.use_versioning ? "the latest of each key, by its id" : "as listed"}</dd>
        <dt>Unreadable</dt>
        <dd>{job.on_error === "skip" ? "left out and named" : "fails the import"}</dd>
        {job.concurrency != null && (
          <>
            <dt>At once</dt>
            <dd>{job.concurrency}</dd>
          </>
        )}
      </dl>
    </section>
  );
}
