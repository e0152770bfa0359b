// One connector: whether it works, where it is used, new credentials, and its end.
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { connectors } from "../api/endpoints";
import { client, keys, useAllImports, useUses } from "../api/queries";
import type { Connector } from "../api/types";
import { Ago } from "../components/Ago";
import { Copy, Id } from "../components/Copy";
import { Confirm, Dialog } from "../components/Dialog";
import { TextField } from "../components/Field";
import { Head, useTitle } from "../components/Head";
import { Name } from "../components/Name";
import { Failure, Note, Waiting, useAction } from "../components/Note";
import { say } from "../components/Said";
import { Status } from "../components/Status";
import { Link } from "../routing/Link";
import { navigate } from "../routing/history";
import { url } from "../routing/route";
import { ConfigFields, TestResult, kindSpec, trimmed, useTest } from "./connectorForm";
import { JobTable } from "./JobTable";

type Asked = "credentials" | "rename" | "delete" | undefined;

export function ConnectorPage({ org, id }: { org: string; id: string }) {
  const found = useQuery({
    queryKey: [...keys.connectors(org), id],
    queryFn: () => connectors.get(org, id),
  });
  useTitle(found.data?.name ?? "Connector");
  if (!found.data)
    return (
      <>
        {found.isPending && <Waiting />}
        <Failure error={found.error} />
      </>
    );
  return <Known org={org} connector={found.data} />;
}

function Known({ org, connector }: { org: string; connector: Connector }) {
  const { id, name } = connector;
  const [asked, ask] = useState<Asked>();
  const uses = useUses(org, id);
  const all = useAllImports(org);
  const test = useTest(() => connectors.test(org, id));
  const refresh = () => void client.invalidateQueries({ queryKey: keys.connectors(org) });
  const turn = useAction(async () => {
    await connectors.update(org, id, { disabled: !connector.disabled });
    refresh();
  });
  const jobs = all.data?.rows.filter(({ job }) => job.connector_id === id) ?? [];
  const close = () => ask(undefined);
  return (
    <>
      <Head
        title={<Name text={name} />}
        sub={
          <>
            <span className="mono">
              <Name text={connector.display_source} />
            </span>{" "}
            <Copy text={connector.display_source} what="the location" />
          </>
        }
        actions={
          <button
            type="button"
            className="button button-main"
            disabled={test.busy || connector.disabled}
            onClick={test.run}
          >
            {test.busy ? "Testing…" : "Test the connection"}
          </button>
        }
      />
      {asked === "credentials" && <Credentials org={org} connector={connector} onClose={close} />}
      {asked === "rename" && <Rename org={org} connector={connector} onClose={close} />}
      {asked === "delete" && (
        <Delete org={org} connector={connector} uses={uses.data} onClose={close} />
      )}
      <TestResult test={test} />
      {connector.disabled && (
        <Note tone="warn" title="This connector is disabled.">
          It cannot be tested or imported from. What was imported stays as it is.
        </Note>
      )}
      <div className="columns">
        <Facts connector={connector} />
        <Uses org={org} id={id} uses={uses} />
      </div>
      <section className="section">
        <h2>Imports</h2>
        {all.isPending && <Waiting />}
        {all.data && jobs.length === 0 && <p className="faint">None yet.</p>}
        {jobs.length > 0 && (
          <JobTable org={org} rows={jobs.slice(0, 50)} connectors={[connector]} showRepo />
        )}
      </section>
      <Failure error={turn.error} />
      <div className="head-actions danger-zone">
        <button type="button" className="button" onClick={() => ask("credentials")}>
          Replace the credentials
        </button>
        <button type="button" className="button" onClick={() => ask("rename")}>
          Rename
        </button>
        <button type="button" className="button" disabled={turn.busy} onClick={turn.run}>
          {connector.disabled ? "Enable" : "Disable"}
        </button>
        <button type="button" className="button button-danger" onClick={() => ask("delete")}>
          Delete
        </button>
      </div>
    </>
  );
}

function Facts({ connector }: { connector: Connector }) {
  return (
    <dl className="facts">
      <dt>Kind</dt>
      <dd>{kindSpec(connector.type)?.label ?? connector.type}</dd>
      <dt>State</dt>
      <dd>{connector.disabled ? <Status state="disabled" /> : "enabled"}</dd>
      <dt>Added</dt>
      <dd>
        <Ago time={connector.created_at} />
      </dd>
      <dt>Id</dt>
      <dd>
        <Id id={connector.id} what="the connector id" />
      </dd>
      <dt>Credentials</dt>
      <dd>sealed, never shown</dd>
    </dl>
  );
}

type UsesProps = { org: string; id: string; uses: ReturnType<typeof useUses> };

function Uses({ org, id, uses }: UsesProps) {
  return (
    <section className="section">
      <h2>Attached to</h2>
      {uses.isPending && <Waiting what="Looking" />}
      <Failure error={uses.error} />
      {uses.data?.length === 0 && (
        <p className="faint">No repository yet. Attach it under a repository's settings.</p>
      )}
      <ul>
        {uses.data?.map((repo) => (
          <li key={repo}>
            <Link to={url.repository(org, repo)}>{repo}</Link>{" "}
            <span className="faint">
              (<Link to={url.importNew(org, repo, { connector: id })}>import</Link>)
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Credentials({
  org,
  connector,
  onClose,
}: {
  org: string;
  connector: Connector;
  onClose: () => void;
}) {
  const [config, setConfig] = useState<Record<string, string>>({});
  const spec = kindSpec(connector.type);
  const test = useTest(() =>
    connectors.testConfig(org, {
      type: connector.type,
      source_uri: connector.source_uri,
      config: trimmed(config),
    }),
  );
  const action = useAction(async () => {
    await connectors.update(org, connector.id, { config: trimmed(config) });
    say("The credentials are replaced");
    onClose();
  });
  if (!spec) return null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  return (
    <Dialog title="Replace the credentials" onClose={onClose} wide>
      <form className="form" onSubmit={submit}>
        <p className="soft">
          The old ones cannot be shown. All of these take their place, the region and endpoint
          included.
        </p>
        <ConfigFields spec={spec} config={config} onConfig={setConfig} />
        <TestResult test={test} />
        <Failure error={action.error} />
        <div className="form-end">
          <button className="button button-main" disabled={action.busy}>
            Replace
          </button>
          <button type="button" className="button" disabled={test.busy} onClick={test.run}>
            {test.busy ? "Testing…" : "Test these first"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Rename({
  org,
  connector,
  onClose,
}: {
  org: string;
  connector: Connector;
  onClose: () => void;
}) {
  const [name, setName] = useState(connector.name);
  const action = useAction(async () => {
    await connectors.update(org, connector.id, { name });
    void client.invalidateQueries({ queryKey: keys.connectors(org) });
    onClose();
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  return (
    <Dialog title="Rename the connector" onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <TextField label="Name" value={name} onValue={setName} />
        <Failure error={action.error} />
        <div className="form-end">
          <button className="button button-main" disabled={action.busy}>
            Rename
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Delete({
  org,
  connector,
  uses,
  onClose,
}: {
  org: string;
  connector: Connector;
  uses: string[] | undefined;
  onClose: () => void;
}) {
  const action = useAction(async () => {
    await connectors.remove(org, connector.id);
    await client.invalidateQueries({ queryKey: keys.connectors(org), exact: true });
    navigate(url.connectors(org));
  });
  return (
    <Confirm
      title={`Delete the connector ${connector.name}`}
      action="Delete the connector"
      busy={action.busy}
      disabled={!uses}
      onConfirm={action.run}
      onClose={onClose}
    >
      {!uses && <Waiting what="Looking where it is used" />}
      {uses && uses.length > 0 && (
        <Note
          tone="warn"
          title={`It is attached to ${uses.length === 1 ? "one repository" : `${uses.length} repositories`}, which can then no longer import from it.`}
        >
          {uses.map((repo) => (
            <div key={repo}>
              <Link to={url.repository(org, repo)}>{repo}</Link>
            </div>
          ))}
        </Note>
      )}
      {uses?.length === 0 && <p className="soft">No repository uses it.</p>}
      <p className="soft">
        Its credentials are wiped at once. What was imported stays, and still names this connector
        as its origin.
      </p>
      <Failure error={action.error} />
    </Confirm>
  );
}
