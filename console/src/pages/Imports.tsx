// The imports into a repository, newest first.
import { useConnectors, useImports } from "../api/queries";
import { fill } from "../app/lines";
import { RepositoryHead, useTitle } from "../components/Head";
import { Lesson } from "../components/Lesson";
import { Failure, Waiting } from "../components/Note";
import { Link } from "../routing/Link";
import { url } from "../routing/route";
import { JobTable } from "./JobTable";

export function Imports({ org, repo }: { org: string; repo: string }) {
  useTitle(`Imports into ${repo}`);
  const found = useImports(org, repo);
  const connectors = useConnectors(org);
  const rows =
    found.data?.pages.flatMap((page) => page.results).map((job) => ({ repo, job })) ?? [];
  return (
    <>
      <RepositoryHead
        org={org}
        repo={repo}
        tab="imports"
        actions={
          <Link className="button button-main" to={url.importNew(org, repo)}>
            New import
          </Link>
        }
      />
      {found.isPending && <Waiting />}
      <Failure error={found.error} again={() => void found.refetch()} />
      {found.data && rows.length === 0 && (
        <Lesson
          title="No import yet"
          ways={fill(location.origin, org, repo, connectors.data?.[0]?.id)}
        >
          <p>
            An import copies what a connector reaches, or another repository holds, as it is at one
            moment. It lands as one commit or not at all.
          </p>
        </Lesson>
      )}
      {rows.length > 0 && <JobTable org={org} rows={rows} connectors={connectors.data} />}
      {found.hasNextPage && (
        <button type="button" className="button more" onClick={() => void found.fetchNextPage()}>
          Older imports
        </button>
      )}
    </>
  );
}
