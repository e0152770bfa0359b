// Where an object came from, what is in it, and how its path came to be what it is.
import { type ReactNode } from "react";
import { objects } from "../api/endpoints";
import { useConnectors, useEntry, useHeadCommit, useLog } from "../api/queries";
import type { Entry, SourceMetadata } from "../api/types";
import { read } from "../app/lines";
import { Ago } from "../components/Ago";
import { Copy, Id } from "../components/Copy";
import { Crumbs, RepositoryHead, useTitle } from "../components/Head";
import { Ways } from "../components/Lesson";
import { Name } from "../components/Name";
import { Failure, Note, Waiting } from "../components/Note";
import { short } from "../format/name";
import { count, size } from "../format/size";
import { Preview } from "../preview/Preview";
import { Link } from "../routing/Link";
import { HEAD, url } from "../routing/route";

type Props = { org: string; repo: string; at: string; path: string };

export function ObjectPage({ org, repo, at, path }: Props) {
  useTitle(`${path} in ${repo}`);
  const head = useHeadCommit(org, repo);
  const commit = at === HEAD ? head.data?.id : at;
  const entry = useEntry(org, repo, commit, path);
  const where = { org, repo, ref: commit };
  const actions = entry.data && commit && (
    <a
      className="button"
      href={objects.address(where, path)}
      download={path.split("/").at(-1) || "object"}
    >
      Download {size(entry.data.size)}
    </a>
  );
  return (
    <>
      <RepositoryHead org={org} repo={repo} tab="data" actions={actions} />
      <Crumbs org={org} repo={repo} path={path} at={at} />
      <Failure error={head.error ?? entry.error} again={() => void entry.refetch()} />
      {entry.isPending && head.data !== null && <Waiting />}
      {(entry.data === null || head.data === null) && (
        <Note
          title="There is no such object in this commit"
          actions={<Link to={url.commits(org, repo, path)}>History of this path</Link>}
        >
          <Name text={path} /> may have been removed, or never was here.
        </Note>
      )}
      {entry.data && (
        <>
          <Provenance org={org} repo={repo} entry={entry.data} />
          <Preview where={where} path={path} entry={entry.data} at={at} />
          <div className="columns">
            <History org={org} repo={repo} path={path} at={at} />
            <section className="section">
              <h2>Read it elsewhere</h2>
              <Ways
                ways={read(location.origin, org, repo, at === HEAD ? undefined : commit, path)}
              />
            </section>
          </div>
        </>
      )}
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Provenance({ org, repo, entry }: { org: string; repo: string; entry: Entry }) {
  const source = entry.source_metadata;
  const own = Object.entries(entry.metadata);
  return (
    <section className="label" aria-label="Provenance">
      <div className="label-origin">
        <span className="faint">
          {source
            ? `Imported ${source.connector_type === "repository" ? "from a repository" : "from"}`
            : "Uploaded here"}
        </span>
        {source && (
          <span className="source">
            <Name text={source.source_path} />{" "}
            <Copy text={source.source_path} what="the source path" />
          </span>
        )}
        {source?.origin && <Origin origin={source.origin} />}
      </div>
      {source && <SourceFacts org={org} repo={repo} source={source} />}
      <dl className="facts">
        <Fact name="Size">
          <span className="tabular">
            {size(entry.size)}
            {entry.size >= 1000 && <span className="faint"> ({count(entry.size)} bytes)</span>}
          </span>
        </Fact>
        <Fact name="Type">
          <Name text={entry.content_type} />
        </Fact>
        <Fact name="Modified">
          <Ago time={entry.last_modified} />
        </Fact>
        <Fact name="ETag here">
          <Id id={entry.e_tag} what="the ETag" />
        </Fact>
        {own.map(([key, value]) => (
          <Fact key={key} name={key}>
            <Name text={value} />
          </Fact>
        ))}
      </dl>
    </section>
  );
}

function Origin({ origin }: { origin: SourceMetadata }) {
  return (
    <span className="soft">
      there from{" "}
      <span className="mono">
        <Name text={origin.source_path} />
      </span>
      , <Ago time={origin.import_time} />
    </span>
  );
}

function SourceFacts({ org, repo, source }: { org: string; repo: string; source: SourceMetadata }) {
  const all = useConnectors(org);
  const id = source.connector_id;
  const connector = all.data?.find((one) => one.id === id);
  return (
    <dl className="facts">
      {id && (
        <Fact name="Connector">
          {connector ? (
            <Link to={url.connector(org, id)}>
              <Name text={connector.name} />
            </Link>
          ) : (
            <>
              deleted, <Id id={id} what="the connector id" />
            </>
          )}
        </Fact>
      )}
      <Fact name="Import">
        <Link to={url.import(org, repo, source.import_job_id)} className="id">
          {short(source.import_job_id)}
        </Link>
        , <Ago time={source.import_time} />
      </Fact>
      <Fact name="Version">
        {source.version_id ? (
          <>
            <span className="mono">
              <Name text={source.version_id} />
            </span>{" "}
            <Copy text={source.version_id} what="the version id" />
          </>
        ) : (
          <span className="faint">not versioned</span>
        )}
      </Fact>
      {source.source_etag && (
        <Fact name="Source ETag">
          <span className="mono">
            <Name text={source.source_etag} />
          </span>{" "}
          <Copy text={source.source_etag} what="the source ETag" />
        </Fact>
      )}
    </dl>
  );
}

function History({ org, repo, path, at }: { org: string; repo: string; path: string; at: string }) {
  const log = useLog(org, repo, path, 10);
  const rows = log.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <section className="section">
      <h2>History of this path</h2>
      {log.isPending && <Waiting />}
      <Failure error={log.error} />
      <ol className="timeline">
        {rows.map((commit, index) => (
          <li key={commit.id} className="moment">
            <div>
              <Link row to={url.commit(org, repo, commit.id)} className="moment-title">
                <Name text={commit.message.split("\n")[0] ?? ""} />
              </Link>
              <div className="moment-by">
                <Name text={commit.committer} />
                <Ago time={commit.creation_date} />
              </div>
            </div>
            <div className="moment-side">
              {(at === HEAD ? index === 0 : commit.id === at) ? (
                <span className="badge">this one</span>
              ) : (
                <Link to={url.object(org, repo, commit.id, path)}>as it was</Link>
              )}
            </div>
          </li>
        ))}
      </ol>
      {log.hasNextPage && <Link to={url.commits(org, repo, path)}>All of it</Link>}
    </section>
  );
}
