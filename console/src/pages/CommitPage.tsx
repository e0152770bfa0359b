// One commit: what it says, what it changed, and how to undo it.
import { useState } from "react";
import { commits } from "../api/endpoints";
import { headMoved, useCommit } from "../api/queries";
import type { Commit } from "../api/types";
import { Ago } from "../components/Ago";
import { Id } from "../components/Copy";
import { Confirm } from "../components/Dialog";
import { TextField } from "../components/Field";
import { RepositoryHead, useTitle } from "../components/Head";
import { Name } from "../components/Name";
import { Failure, Waiting, useAction } from "../components/Note";
import { counted, size } from "../format/size";
import { short } from "../format/name";
import { Link } from "../routing/Link";
import { navigate } from "../routing/history";
import { HEAD, url } from "../routing/route";
import { Changes } from "./Changes";

export function CommitPage({ org, repo, id }: { org: string; repo: string; id: string }) {
  const commit = useCommit(org, repo, id);
  const [reverting, setReverting] = useState(false);
  const [title = "", ...rest] = (commit.data?.message ?? "").split("\n");
  useTitle(title || `Commit ${short(id)}`);
  if (!commit.data) {
    return (
      <>
        <RepositoryHead org={org} repo={repo} tab="commits" />
        {commit.isPending && <Waiting />}
        <Failure error={commit.error} />
      </>
    );
  }
  const one = commit.data;
  const parent = one.parents[0];
  const actions = (
    <>
      <Link className="button" to={url.tree(org, repo, one.id, "")}>
        Browse at this commit
      </Link>
      <Link className="button" to={url.compare(org, repo, one.id, HEAD)}>
        Compare with the latest
      </Link>
      {parent && (
        <button type="button" className="button" onClick={() => setReverting(true)}>
          Revert
        </button>
      )}
    </>
  );
  return (
    <>
      <RepositoryHead org={org} repo={repo} tab="commits" actions={actions} />
      {reverting && (
        <Revert org={org} repo={repo} commit={one} onClose={() => setReverting(false)} />
      )}
      <section className="section">
        <h2 className="message">
          <Name text={title || "(no message)"} />
        </h2>
        {rest.join("\n").trim() && <p className="message soft">{rest.join("\n").trim()}</p>}
        <dl className="facts">
          <dt>By</dt>
          <dd>
            <Name text={one.committer} />, <Ago time={one.creation_date} />
          </dd>
          <dt>Commit</dt>
          <dd>
            <Id id={one.id} what="the commit id" />
          </dd>
          <dt>After</dt>
          <dd>
            {parent ? (
              <Link to={url.commit(org, repo, parent)} className="id">
                {short(parent)}
              </Link>
            ) : (
              <span className="faint">nothing, it is the first</span>
            )}
          </dd>
          <dt>Holds</dt>
          <dd className="tabular">
            {counted(one.object_count, "object")}, {size(one.total_size)}
          </dd>
          {Object.entries(one.metadata).map(([key, value]) => (
            <div key={key} style={{ display: "contents" }}>
              <dt>{key.replaceAll("_", " ")}</dt>
              <dd className="message">
                {value.split("\n").map((line, at) => (
                  <div key={at}>
                    <Name text={line} />
                  </div>
                ))}
              </dd>
            </div>
          ))}
        </dl>
      </section>
      <Changes org={org} repo={repo} left={parent ?? ""} right={one.id} />
    </>
  );
}

function Revert({
  org,
  repo,
  commit,
  onClose,
}: {
  org: string;
  repo: string;
  commit: Commit;
  onClose: () => void;
}) {
  const [message, setMessage] = useState(`Revert "${commit.message.split("\n")[0]}"`);
  const action = useAction(async () => {
    const { commit_id } = await commits.revert(org, repo, commit.id, message);
    headMoved(org, repo);
    navigate(url.commit(org, repo, commit_id));
    onClose();
  });
  return (
    <Confirm
      title="Revert this commit"
      action="Revert"
      busy={action.busy}
      onConfirm={action.run}
      onClose={onClose}
    >
      <p className="soft">
        This makes a new commit that undoes the changes of this one. Nothing is lost: it can be
        reverted, too. If later commits changed the same paths, it is refused.
      </p>
      <TextField label="Message" value={message} onValue={setMessage} />
      <Failure error={action.error} />
    </Confirm>
  );
}
