// A repository's connectors, description and retention, and its end.
import { type FormEvent, useState } from "react";
import { repositories } from "../api/endpoints";
import { client, keys, useAttached, useConnectors, useRepository } from "../api/queries";
import type { Connector, Repository } from "../api/types";
import { Confirm } from "../components/Dialog";
import { SelectField, TextField } from "../components/Field";
import { RepositoryHead, useTitle } from "../components/Head";
import { Id } from "../components/Copy";
import { Ago } from "../components/Ago";
import { Name } from "../components/Name";
import { Failure, Note, Waiting, useAction } from "../components/Note";
import { say } from "../components/Said";
import { Status } from "../components/Status";
import { plain } from "../format/name";
import { Link } from "../routing/Link";
import { navigate } from "../routing/history";
import { url } from "../routing/route";

type Props = { org: string; repo: string };

export function Settings({ org, repo }: Props) {
  useTitle(`Settings of ${repo}`);
  const found = useRepository(org, repo);
  return (
    <>
      <RepositoryHead org={org} repo={repo} tab="settings" />
      {found.isPending && <Waiting />}
      <Failure error={found.error} />
      {found.data && (
        <>
          <Attached org={org} repo={repo} />
          <div className="columns">
            <About org={org} repo={repo} repository={found.data} />
            <dl className="facts">
              <dt>Made</dt>
              <dd>
                <Ago time={found.data.created_at} />
              </dd>
              <dt>Id</dt>
              <dd>
                <Id id={found.data.id} what="the repository id" />
              </dd>
              <dt>Sessions</dt>
              <dd>end after {found.data.session_max_duration_days} days</dd>
            </dl>
          </div>
          <End org={org} repo={repo} />
        </>
      )}
    </>
  );
}

function Attached({ org, repo }: Props) {
  const attached = useAttached(org, repo);
  const all = useConnectors(org);
  const [chosen, choose] = useState("");
  const refresh = () => void client.invalidateQueries({ queryKey: keys.attached(org, repo) });
  const free =
    all.data?.filter((one) => !attached.data?.some((other) => other.id === one.id)) ?? [];
  const id = chosen || free[0]?.id || "";
  const attach = useAction(async () => {
    await repositories.attach(org, repo, id);
    choose("");
    refresh();
  });
  const [leaving, setLeaving] = useState("");
  const detach = useAction(async () => {
    await repositories.detach(org, repo, leaving);
    setLeaving("");
    refresh();
  });
  return (
    <section className="section">
      <h2>Connectors</h2>
      {attached.isPending && <Waiting />}
      <Failure error={attached.error ?? all.error} />
      {attached.data?.length === 0 && (
        <p className="faint">None is attached. Imports come only from attached connectors.</p>
      )}
      {attached.data && attached.data.length > 0 && (
        <AttachedTable org={org} repo={repo} connectors={attached.data} onDetach={setLeaving} />
      )}
      {leaving && (
        <Confirm
          title="Detach the connector"
          action="Detach"
          busy={detach.busy}
          onConfirm={detach.run}
          onClose={() => setLeaving("")}
        >
          <p className="soft">
            This repository can no longer import from it. What was imported stays, and the connector
            itself stays.
          </p>
          <Failure error={detach.error} />
        </Confirm>
      )}
      {free.length > 0 && (
        <div className="form-row">
          <SelectField
            label="Attach another"
            value={id}
            onValue={choose}
            options={free.map((one) => [
              one.id,
              `${plain(one.name)}  ${plain(one.display_source)}`,
            ])}
          />
          <div className="form-end" style={{ alignItems: "end" }}>
            <button type="button" className="button" disabled={attach.busy} onClick={attach.run}>
              Attach
            </button>
          </div>
        </div>
      )}
      {all.data?.length === 0 && <Link to={url.connectorNew(org)}>Make a connector</Link>}
      <Failure error={attach.error} />
    </section>
  );
}

type TableProps = Props & { connectors: Connector[]; onDetach: (id: string) => void };

function AttachedTable({ org, repo, connectors, onDetach }: TableProps) {
  return (
    <table className="stack-small">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Location</th>
          <th scope="col">
            <span className="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {connectors.map((one) => (
          <tr key={one.id}>
            <td>
              <Link row to={url.connector(org, one.id)} className="row-link folder">
                <Name text={one.name} />
              </Link>{" "}
              {one.disabled && <Status state="disabled" />}
            </td>
            <td className="mono long">
              <Name text={one.display_source} />
            </td>
            <td className="number">
              <Link to={url.importNew(org, repo, { connector: one.id })}>Import</Link>{" "}
              <button
                type="button"
                className="button button-plain button-small"
                onClick={() => onDetach(one.id)}
                aria-label={`Detach ${one.name}`}
              >
                Detach
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function About({ org, repo, repository }: Props & { repository: Repository }) {
  const [description, setDescription] = useState(repository.description);
  const [days, setDays] = useState(repository.retention_days?.toString() ?? "");
  const action = useAction(async () => {
    await repositories.update(org, repo, {
      description,
      retention_days: days === "" ? null : Number(days),
    });
    void client.invalidateQueries({ queryKey: keys.repository(org, repo), exact: true });
    void client.invalidateQueries({ queryKey: keys.repositories(org) });
    say("Saved");
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <h2>About</h2>
      <TextField label="Description" optional value={description} onValue={setDescription} />
      <TextField
        label="Days that old commits are kept"
        type="number"
        min={1}
        optional
        value={days}
        onValue={setDays}
        help="Empty keeps everything. The latest commit is always kept."
      />
      <Failure error={action.error} />
      <div className="form-end">
        <button className="button" disabled={action.busy}>
          Save
        </button>
      </div>
    </form>
  );
}

function End({ org, repo }: Props) {
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState("");
  const action = useAction(async () => {
    await repositories.remove(org, repo);
    client.removeQueries({ queryKey: keys.repository(org, repo) });
    void client.invalidateQueries({ queryKey: keys.repositories(org) });
    navigate(url.organization(org));
  });
  return (
    <div className="danger-zone">
      <button type="button" className="button button-danger" onClick={() => setAsking(true)}>
        Delete the repository
      </button>
      {asking && (
        <Confirm
          title={`Delete the repository ${repo}`}
          action="Delete the repository"
          busy={action.busy}
          disabled={typed !== repo}
          onConfirm={action.run}
          onClose={() => setAsking(false)}
        >
          <Note tone="warn">All of its commits and objects go with it.</Note>
          <TextField label={`Type ${repo} to confirm`} mono value={typed} onValue={setTyped} />
          <Failure error={action.error} />
        </Confirm>
      )}
    </div>
  );
}
