// What the organization can reach: its connectors, each with its last import.
import { useAllImports, useConnectors } from "../api/queries";
import type { Connector } from "../api/types";
import { newConnector } from "../app/lines";
import { Ago } from "../components/Ago";
import { Head, useTitle } from "../components/Head";
import { Lesson } from "../components/Lesson";
import { Name } from "../components/Name";
import { Failure, Waiting } from "../components/Note";
import { Status } from "../components/Status";
import { Link } from "../routing/Link";
import { url } from "../routing/route";
import { kindSpec } from "./connectorForm";
import { JobStatus } from "./jobs";

export function Connectors({ org }: { org: string }) {
  useTitle(`Connectors of ${org}`);
  const found = useConnectors(org);
  const rows = found.data ?? [];
  return (
    <>
      <Head
        title="Connectors"
        actions={
          <Link className="button button-main" to={url.connectorNew(org)}>
            New connector
          </Link>
        }
      />
      {found.isPending && <Waiting />}
      <Failure error={found.error} again={() => void found.refetch()} />
      {found.data && rows.length === 0 && (
        <Lesson title="No connector yet" ways={newConnector(location.origin, org)}>
          <p>
            A connector reaches a bucket with credentials that are sealed and never shown again.
            Attach it to a repository, and import.
          </p>
        </Lesson>
      )}
      {rows.length > 0 && (
        <table className="stack-small">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Kind</th>
              <th scope="col">Location</th>
              <th scope="col">Last import</th>
              <th scope="col" className="number">
                Added
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <Row key={one.id} org={org} connector={one} />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function Row({ org, connector }: { org: string; connector: Connector }) {
  const all = useAllImports(org);
  const last = all.data?.rows.find(({ job }) => job.connector_id === connector.id && !job.dry_run);
  return (
    <tr>
      <td>
        <Link row to={url.connector(org, connector.id)} className="row-link folder">
          <Name text={connector.name} />
        </Link>
      </td>
      <td>{kindSpec(connector.type)?.label ?? connector.type}</td>
      <td className="mono long">
        <Name text={connector.display_source} />
      </td>
      <td data-label="last import">
        {connector.disabled ? (
          <Status state="disabled" />
        ) : last ? (
          <>
            <Link to={url.import(org, last.repo, last.job.id)}>
              <JobStatus job={last.job} />
            </Link>{" "}
            <Ago time={last.job.created_at} /> <span className="faint">into {last.repo}</span>
          </>
        ) : (
          <span className="faint">{all.isPending ? "…" : "never"}</span>
        )}
      </td>
      <td className="number" data-label="added">
        <Ago time={connector.created_at} />
      </td>
    </tr>
  );
}
