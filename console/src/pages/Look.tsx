// A look at a source before the import: a dry run beside the form, live.
import { useQuery } from "@tanstack/react-query";
import { imports } from "../api/endpoints";
import type { PlannedChange } from "../api/types";
import { ended, useJob } from "../api/useJob";
import { Name } from "../components/Name";
import { Failure, Note, Waiting, useAction } from "../components/Note";
import { ChangeMark } from "../components/Status";
import { count, size } from "../format/size";
import { Link } from "../routing/Link";
import { url } from "../routing/route";
import { PreviewTable } from "./PreviewTable";
import { JobStatus } from "./jobs";

const NAMED = 30;

export function Look({ org, repo, id }: { org: string; repo: string; id: string }) {
  const { job } = useJob(org, repo, id);
  const over = job.data ? ended(job.data) : false;
  const changes = useQuery({
    queryKey: ["changes", org, repo, id],
    enabled: job.data?.status === "completed",
    queryFn: () => imports.changes(org, repo, id, { amount: NAMED }),
  });
  const cancel = useAction(() => imports.cancel(org, repo, id));
  if (!job.data)
    return (
      <>
        <Waiting />
        <Failure error={job.error} />
      </>
    );
  const { preview, objects_total, bytes_total, error } = job.data;
  return (
    <>
      <div className="section-head">
        <h2>
          The source <JobStatus job={job.data} />
        </h2>
        {!over && (
          <button
            type="button"
            className="button button-small"
            disabled={cancel.busy}
            onClick={cancel.run}
          >
            Stop looking
          </button>
        )}
      </div>
      {!over && (
        <div className="progress progress-unknown" role="progressbar" aria-label="Listing">
          <div />
        </div>
      )}
      <p className="tabular">
        <b>{count(objects_total)}</b> objects, <b>{size(bytes_total)}</b> {over ? "" : "so far"}
      </p>
      {error && (
        <Note tone="bad" title="The source could not be listed">
          {error}
        </Note>
      )}
      <Failure error={cancel.error ?? changes.error} />
      {preview && <PreviewTable preview={preview} />}
      {changes.data && <FirstPaths changes={changes.data.results} />}
      {over && <Link to={url.import(org, repo, id)}>All of this dry run</Link>}
    </>
  );
}

function FirstPaths({ changes }: { changes: PlannedChange[] }) {
  if (changes.length === 0) return null;
  return (
    <>
      <h3>The first paths</h3>
      <table>
        <tbody>
          {changes.map((one) => (
            <tr key={one.path}>
              <td className="mono long">
                <ChangeMark status={one.status} /> <Name text={one.path} />
              </td>
              <td className="number">{size(one.size)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
