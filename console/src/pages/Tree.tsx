// What the data looks like, at a commit and below a folder: the object browser, and the README.
import { useCallback, useState } from "react";
import { useAttached, useHeadCommit } from "../api/queries";
import type { Commit } from "../api/types";
import { fill } from "../app/lines";
import { Ago } from "../components/Ago";
import { Copy } from "../components/Copy";
import { Crumbs, RepositoryHead, useTitle } from "../components/Head";
import { Lesson } from "../components/Lesson";
import { Name } from "../components/Name";
import { Failure, Note, Waiting } from "../components/Note";
import { counted, size } from "../format/size";
import { short } from "../format/name";
import { Link } from "../routing/Link";
import { HEAD, url } from "../routing/route";
import { useDrop } from "../uploads/drop";
import type { Planned } from "../uploads/plan";
import { Browser } from "./Browser";
import { Readme } from "./Readme";
import { Upload } from "./Upload";

type Props = { org: string; repo: string; at: string; path: string; home: boolean };

export function Tree({ org, repo, at, path, home }: Props) {
  // A folder ends with a slash, whoever wrote the address.
  const folder = path === "" || path.endsWith("/") ? path : `${path}/`;
  useTitle(folder ? `${folder} in ${repo}` : `${org}/${repo}`);
  const [uploading, setUploading] = useState<Planned[]>();
  const head = useHeadCommit(org, repo);
  const atHead = at === HEAD;
  const begin = useCallback((files: Planned[]) => setUploading(files), []);
  const over = useDrop(atHead && uploading === undefined, folder, begin);
  const commit = atHead ? (head.data?.id ?? "") : at;
  const actions = atHead && (
    <>
      <Link className="button" to={url.importNew(org, repo, { destination: folder })}>
        Import
      </Link>
      <button type="button" className="button button-main" onClick={() => setUploading([])}>
        Upload
      </button>
    </>
  );
  return (
    <>
      <RepositoryHead org={org} repo={repo} tab="data" actions={actions} />
      {uploading && (
        <Upload
          org={org}
          repo={repo}
          folder={folder}
          files={uploading}
          onClose={() => setUploading(undefined)}
        />
      )}
      {atHead && head.isPending && <Waiting />}
      <Failure error={head.error} again={() => void head.refetch()} />
      {!atHead && head.data && head.data.id !== at && (
        <Note tone="warn">
          These are the objects as of commit <span className="id">{short(at)}</span>, not the
          latest. <Link to={url.tree(org, repo, HEAD, folder)}>Go to the latest</Link>
        </Note>
      )}
      {atHead && head.data && home && <Last org={org} repo={repo} commit={head.data} />}
      {atHead && head.data === null ? (
        <Empty org={org} repo={repo} />
      ) : (
        commit && (
          <div className={over ? "section dropping" : "section"}>
            <Browser
              org={org}
              repo={repo}
              at={at}
              commit={commit}
              folder={folder}
              home={home}
              crumbs={<Crumbs org={org} repo={repo} path={folder} at={at} />}
            />
            <Readme org={org} repo={repo} at={at} commit={commit} folder={folder} />
          </div>
        )
      )}
    </>
  );
}

function Last({ org, repo, commit }: { org: string; repo: string; commit: Commit }) {
  return (
    <div className="last">
      <Link to={url.commit(org, repo, commit.id)}>
        <Name text={commit.message.split("\n")[0] ?? ""} />
      </Link>
      <span>
        <Name text={commit.committer} />, <Ago time={commit.creation_date} />
      </span>
      <span className="id" title={commit.id}>
        {short(commit.id)} <Copy text={commit.id} what="the commit id" />
      </span>
      <span className="tabular">
        {counted(commit.object_count, "object")}, {size(commit.total_size)}
      </span>
    </div>
  );
}

function Empty({ org, repo }: { org: string; repo: string }) {
  const attached = useAttached(org, repo);
  return (
    <Lesson
      title="No data yet"
      ways={fill(location.origin, org, repo, attached.data?.[0]?.id)}
      actions={
        <>
          <Link className="button" to={url.settings(org, repo)}>
            Attach a connector
          </Link>
          <Link className="button" to={url.importNew(org, repo)}>
            Import
          </Link>
        </>
      }
    >
      <p>
        Import from a bucket or another repository, or drop files onto this page. Either makes one
        commit.
      </p>
    </Lesson>
  );
}
