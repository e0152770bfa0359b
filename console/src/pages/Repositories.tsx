// What is here: the repositories of an organization, with the last commit and the size of each.
import { type FormEvent, useState } from "react";
import { repositories } from "../api/endpoints";
import { client, keys, useHeadCommit, useRepositories } from "../api/queries";
import type { Repository } from "../api/types";
import { newRepository } from "../app/lines";
import { Ago } from "../components/Ago";
import { Dialog } from "../components/Dialog";
import { TextField } from "../components/Field";
import { Filter } from "../components/Filter";
import { Head, useTitle } from "../components/Head";
import { Lesson } from "../components/Lesson";
import { Name } from "../components/Name";
import { Failure, Waiting, useAction } from "../components/Note";
import { Rows } from "../components/Rows";
import { count, counted, size } from "../format/size";
import { Link } from "../routing/Link";
import { navigate } from "../routing/history";
import { url } from "../routing/route";

export function Repositories({ org }: { org: string }) {
  useTitle(`Repositories of ${org}`);
  const [filter, setFilter] = useState("");
  const [making, setMaking] = useState(false);
  const all = useRepositories(org);
  const make = (
    <button type="button" className="button button-main" onClick={() => setMaking(true)}>
      New repository
    </button>
  );
  const shown =
    all.data?.filter(({ name, description }) =>
      `${name} ${description}`.toLowerCase().includes(filter.toLowerCase()),
    ) ?? [];
  return (
    <>
      <Head
        title="Repositories"
        sub={
          all.data && all.data.length > 0
            ? counted(all.data.length, "repositor").replace(/repositor(s?)$/, (_, many) =>
                many ? "repositories" : "repository",
              )
            : undefined
        }
        actions={make}
      />
      {making && <NewRepository org={org} onClose={() => setMaking(false)} />}
      {all.isPending && <Waiting />}
      <Failure error={all.error} again={() => void all.refetch()} />
      {all.data?.length === 0 && (
        <Lesson title="No repository yet" ways={newRepository(location.origin, org)}>
          <p>
            A repository holds versions of data: each import or upload is one commit, whole or not
            at all.
          </p>
        </Lesson>
      )}
      {all.data && all.data.length > 0 && (
        <>
          {all.data.length > 5 && (
            <Filter
              value={filter}
              onValue={setFilter}
              label="Filter repositories"
              placeholder="Filter by name"
            />
          )}
          <Rows
            label="Repositories"
            grid="grid-repos"
            className="rows-tree"
            count={shown.length}
            rowPx={52}
            header={
              <>
                <span role="columnheader">Name</span>
                <span role="columnheader">Last commit</span>
                <span role="columnheader" className="number">
                  Objects
                </span>
                <span role="columnheader" className="number">
                  Size
                </span>
              </>
            }
            row={(index) => <Row org={org} repository={shown[index] as Repository} />}
          />
        </>
      )}
    </>
  );
}

function Row({ org, repository }: { org: string; repository: Repository }) {
  const head = useHeadCommit(org, repository.name);
  const { name, description } = repository;
  return (
    <>
      <div role="cell">
        <div className="clip">
          <Link row to={url.repository(org, name)} className="row-link folder">
            {name}
          </Link>
        </div>
        <div className="clip faint">{description && <Name text={description} />}</div>
      </div>
      <div role="cell" className="soft">
        {head.data && (
          <>
            <div className="clip">
              <Link to={url.commit(org, name, head.data.id)} className="row-link">
                <Name text={head.data.message} />
              </Link>
            </div>
            <div className="clip faint">
              <Name text={head.data.committer} />, <Ago time={head.data.creation_date} />
            </div>
          </>
        )}
        {head.data === null && <span className="faint">no commit yet</span>}
      </div>
      <div role="cell" className="number soft">
        {head.data ? count(head.data.object_count) : ""}
      </div>
      <div role="cell" className="number">
        {head.data ? size(head.data.total_size) : ""}
      </div>
    </>
  );
}

function NewRepository({ org, onClose }: { org: string; onClose: () => void }) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const action = useAction(async () => {
    await repositories.create(org, { name, ...(description ? { description } : {}) });
    void client.invalidateQueries({ queryKey: keys.repositories(org) });
    navigate(url.repository(org, name));
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  return (
    <Dialog title="New repository" onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <TextField
          label="Name"
          mono
          value={name}
          onValue={setName}
          help="Lower-case letters, digits, and - _ . inside the name."
          autoFocus
        />
        <TextField label="Description" optional value={description} onValue={setDescription} />
        <Failure error={action.error} />
        <div className="form-end">
          <button className="button button-main" disabled={action.busy}>
            Create the repository
          </button>
        </div>
      </form>
    </Dialog>
  );
}
