// What happened, and who did it: the commits of a repository, or of one path in it.
import { Fragment } from "react";
import { useChangeCounts, useImports, useLog } from "../api/queries";
import type { Commit } from "../api/types";
import { fill } from "../app/lines";
import { Ago } from "../components/Ago";
import { Id } from "../components/Copy";
import { Head, RepositoryHead, useTitle } from "../components/Head";
import { Lesson } from "../components/Lesson";
import { Name } from "../components/Name";
import { Failure, Note, Waiting } from "../components/Note";
import { ChangeCounts } from "../components/Status";
import { useInView } from "../components/useInView";
import { counted, size } from "../format/size";
import { Link } from "../routing/Link";
import { HEAD, url } from "../routing/route";

export function Commits({ org, repo, path }: { org: string; repo: string; path: string }) {
  useTitle(path ? `History of ${path}` : `Commits of ${repo}`);
  const log = useLog(org, repo, path);
  const jobs = useImports(org, repo);
  const rows = log.data?.pages.flatMap((page) => page.results) ?? [];
  const byCommit = new Map<string, string>();
  for (const job of jobs.data?.pages.flatMap((page) => page.results) ?? []) {
    if (job.commit_id && !job.dry_run) byCommit.set(job.commit_id, job.id);
  }
  let day = "";
  return (
    <>
      <RepositoryHead
        org={org}
        repo={repo}
        tab="commits"
        actions={
          rows.length > 1 && (
            <Link
              className="button"
              to={url.compare(org, repo, rows[1]?.id ?? "", rows[0]?.id ?? "")}
            >
              Compare commits
            </Link>
          )
        }
      />
      {path && (
        <Head
          title="History"
          sub={
            <>
              <Link
                to={
                  path.endsWith("/")
                    ? url.tree(org, repo, HEAD, path)
                    : url.object(org, repo, HEAD, path)
                }
              >
                <Name text={path} />
              </Link>{" "}
              (<Link to={url.commits(org, repo)}>all commits</Link>)
            </>
          }
        />
      )}
      {log.isPending && <Waiting />}
      <Failure error={log.error} again={() => void log.refetch()} />
      {log.data &&
        rows.length === 0 &&
        (path ? (
          <Note>No commit touches this path.</Note>
        ) : (
          <Lesson title="No commit yet" ways={fill(location.origin, org, repo)}>
            <p>Each import and each upload is one commit: who, when, and what changed.</p>
          </Lesson>
        ))}
      <ol className="timeline">
        {rows.map((commit) => {
          const date = new Date(commit.creation_date).toLocaleDateString("en-GB", {
            weekday: "long",
            day: "numeric",
            month: "long",
            year: "numeric",
          });
          const first = date !== day;
          day = date;
          return (
            <Fragment key={commit.id}>
              {first && <li className="timeline-day">{date}</li>}
              <Moment org={org} repo={repo} commit={commit} job={byCommit.get(commit.id)} />
            </Fragment>
          );
        })}
      </ol>
      {log.hasNextPage && (
        <button
          type="button"
          className="button more"
          disabled={log.isFetchingNextPage}
          onClick={() => void log.fetchNextPage()}
        >
          {log.isFetchingNextPage ? "Loading…" : "Older commits"}
        </button>
      )}
    </>
  );
}

function Moment({
  org,
  repo,
  commit,
  job,
}: {
  org: string;
  repo: string;
  commit: Commit;
  job?: string | undefined;
}) {
  const [element, seen] = useInView<HTMLLIElement>();
  const changes = useChangeCounts(org, repo, commit, seen);
  return (
    <li ref={element} className={job ? "moment moment-import" : "moment"}>
      <div>
        <Link row to={url.commit(org, repo, commit.id)} className="moment-title">
          <Name text={commit.message.split("\n")[0] || "(no message)"} />
        </Link>
        <div className="moment-by">
          <Name text={commit.committer} />
          <Ago time={commit.creation_date} />
          {job && (
            <Link to={url.import(org, repo, job)} className="badge">
              import
            </Link>
          )}
          {commit.is_stale && (
            <span
              className="badge"
              title="Older than the retention of this repository: its objects can no longer be read"
            >
              expired
            </span>
          )}
          <span className="tabular hide-small">
            {counted(commit.object_count, "object")}, {size(commit.total_size)}
          </span>
        </div>
      </div>
      <div className="moment-side">
        {changes.data ? (
          <ChangeCounts counts={changes.data.counts} more={changes.data.more} />
        ) : (
          <span className="faint">{changes.error ? "" : "…"}</span>
        )}
        <Id id={commit.id} what="the commit id" />
      </div>
    </li>
  );
}
