// The imports of a whole organization: what runs, what ran, what failed.
import { useState } from "react";
import { useAllImports, useConnectors } from "../api/queries";
import { Head, useTitle } from "../components/Head";
import { Lesson } from "../components/Lesson";
import { Failure, Note, Waiting } from "../components/Note";
import { counted } from "../format/size";
import { Link } from "../routing/Link";
import { url } from "../routing/route";
import { JobTable } from "./JobTable";

const SHOWN = 100;

export function AllImports({ org }: { org: string }) {
  useTitle(`Imports of ${org}`);
  const [shown, setShown] = useState(SHOWN);
  const found = useAllImports(org);
  const connectors = useConnectors(org);
  const rows = found.data?.rows ?? [];
  const running = rows.filter(
    ({ job }) => job.status === "running" || job.status === "pending",
  ).length;
  return (
    <>
      <Head
        title="Imports"
        sub={found.data && (running > 0 ? `${running} running` : "nothing is running")}
      />
      {found.isPending && <Waiting what="Gathering the imports of all repositories" />}
      <Failure error={found.error} again={() => void found.refetch()} />
      {found.data && rows.length === 0 && (
        <Lesson
          title="No import yet"
          actions={
            <>
              <Link className="button" to={url.connectors(org)}>
                Connectors
              </Link>
              <Link className="button" to={url.organization(org)}>
                Repositories
              </Link>
            </>
          }
        >
          <p>
            Make a connector, attach it to a repository, and start an import there. What runs and
            what ran stands here.
          </p>
        </Lesson>
      )}
      {rows.length > 0 && (
        <JobTable org={org} rows={rows.slice(0, shown)} connectors={connectors.data} showRepo />
      )}
      {rows.length > shown && (
        <button type="button" className="button more" onClick={() => setShown(shown + SHOWN)}>
          Older imports
        </button>
      )}
      {found.data && found.data.left > 0 && (
        <Note>
          {counted(found.data.left, "more repository").replace("repositorys", "repositories")} not
          looked at: open them for their imports.
        </Note>
      )}
    </>
  );
}
