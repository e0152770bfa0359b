// A history of imports: what, when, how much, by whom, and what came of it.
import type { Connector, ImportJob } from "../api/types";
import { Ago } from "../components/Ago";
import { Name } from "../components/Name";
import { useMembers } from "../api/queries";
import { short } from "../format/name";
import { count, percent, size } from "../format/size";
import { Link } from "../routing/Link";
import { url } from "../routing/route";
import { JobStatus, settings, sourceName, took } from "./jobs";
import { ended } from "../api/useJob";

type Props = {
  org: string;
  rows: { repo: string; job: ImportJob }[];
  connectors: Connector[] | undefined;
  showRepo?: boolean;
};

export function JobTable({ org, rows, connectors, showRepo }: Props) {
  const members = useMembers(org);
  const who = (id: string) =>
    members.data?.find((one) => one.user_id === id)?.username ?? short(id);
  return (
    <table className="stack-small">
      <thead>
        <tr>
          <th scope="col">State</th>
          {showRepo && <th scope="col">Repository</th>}
          <th scope="col">From</th>
          <th scope="col">To</th>
          <th scope="col" className="number">
            Objects
          </th>
          <th scope="col" className="number">
            Volume
          </th>
          <th scope="col" className="number">
            Took
          </th>
          <th scope="col">Started</th>
          <th scope="col">Result</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ repo, job }) => (
          <tr key={job.id}>
            <td>
              <Link row to={url.import(org, repo, job.id)}>
                <JobStatus job={job} />
              </Link>
            </td>
            {showRepo && (
              <td data-label="into">
                <Link to={url.repository(org, repo)} className="row-link">
                  {repo}
                </Link>
              </td>
            )}
            <td data-label="from">
              <Name text={sourceName(job, connectors)} />
              {job.source_prefix && (
                <>
                  {" "}
                  <span className="mono faint">
                    <Name text={job.source_prefix} />
                  </span>
                </>
              )}
            </td>
            <td className="mono long" data-label="to">
              <Name text={job.destination_path || "/"} />
            </td>
            <td className="number" data-label="objects">
              {count(job.dry_run ? job.objects_total : job.objects_imported)}
            </td>
            <td className="number" data-label="volume">
              {size(job.dry_run ? job.bytes_total : job.bytes_imported)}
            </td>
            <td className="number" data-label="took">
              {ended(job)
                ? took(job)
                : job.listed_all
                  ? `${percent(job.bytes_imported, job.bytes_total)} %`
                  : "…"}
            </td>
            <td data-label="started">
              <Ago time={job.created_at} /> <span className="faint">by {who(job.created_by)}</span>
            </td>
            <td>
              {job.commit_id && (
                <Link to={url.commit(org, repo, job.commit_id)} className="id">
                  {short(job.commit_id)}
                </Link>
              )}
              {job.error && (
                <div className="clip faint" title={job.error} style={{ maxWidth: 260 }}>
                  {job.error}
                </div>
              )}{" "}
              {ended(job) && (
                <Link
                  to={url.importNew(org, repo, settings(job))}
                  aria-label={`Run again: ${job.destination_path}`}
                >
                  again
                </Link>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
