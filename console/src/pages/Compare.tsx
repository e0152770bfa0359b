// What changed between any two commits.
import { useCommit, useHeadCommit, useLog } from "../api/queries";
import { Ago } from "../components/Ago";
import { Id } from "../components/Copy";
import { SelectField } from "../components/Field";
import { RepositoryHead, useTitle } from "../components/Head";
import { Name } from "../components/Name";
import { Failure } from "../components/Note";
import { plain, short } from "../format/name";
import { navigate } from "../routing/history";
import { HEAD, url } from "../routing/route";
import { Changes } from "./Changes";

type Props = { org: string; repo: string; left: string; right: string };

export function Compare({ org, repo, left, right }: Props) {
  useTitle(`Compare in ${repo}`);
  const head = useHeadCommit(org, repo);
  const to = right === HEAD || right === "" ? (head.data?.id ?? "") : right;
  const from = left === HEAD ? (head.data?.id ?? "") : left;
  const turn = () => navigate(url.compare(org, repo, right, left));
  const go = (a: string, b: string) => navigate(url.compare(org, repo, a, b));
  return (
    <>
      <RepositoryHead
        org={org}
        repo={repo}
        tab="commits"
        actions={
          from && (
            <button type="button" className="button" onClick={turn}>
              Swap the sides
            </button>
          )
        }
      />
      <div className="form-row">
        <Side label="From" org={org} repo={repo} id={from} onId={(id) => go(id, right)} />
        <Side label="To" org={org} repo={repo} id={to} onId={(id) => go(left, id)} />
      </div>
      <Failure error={head.error} />
      {to && <Changes org={org} repo={repo} left={from} right={to} />}
    </>
  );
}

function Side({
  label,
  org,
  repo,
  id,
  onId,
}: {
  label: string;
  org: string;
  repo: string;
  id: string;
  onId: (id: string) => void;
}) {
  const log = useLog(org, repo, "", 100);
  const commit = useCommit(org, repo, id);
  const rows = log.data?.pages.flatMap((page) => page.results) ?? [];
  const options = rows.map((one): [string, string] => [
    one.id,
    `${short(one.id)}  ${plain(one.message.split("\n")[0] ?? "").slice(0, 70)}`,
  ]);
  if (id && !rows.some((one) => one.id === id)) options.unshift([id, short(id)]);
  if (label === "From") options.unshift(["", "nothing (an empty repository)"]);
  return (
    <div className="section">
      <SelectField label={label} value={id} onValue={onId} options={options} />
      {commit.data && (
        <div className="moment-by">
          <Name text={commit.data.committer} /> <Ago time={commit.data.creation_date} />{" "}
          <Id id={commit.data.id} what="the commit id" />
        </div>
      )}
    </div>
  );
}
