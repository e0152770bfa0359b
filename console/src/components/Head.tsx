// The top of a page: its title, what else it says of itself, and what can be done; and the crumbs
// and tabs that all pages of a repository share.
import { type ReactNode, useEffect } from "react";
import { HEAD, url } from "../routing/route";
import { Link } from "../routing/Link";
import { ancestors, plain } from "../format/name";
import { Copy } from "./Copy";
import { Name } from "./Name";

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${plain(title)} · Tilde` : "Tilde";
  }, [title]);
}

export function Head({
  title,
  sub,
  actions,
}: {
  title: ReactNode;
  sub?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <header className="head">
      <div className="head-text">
        <h1>{title}</h1>
        {sub && <div className="head-sub">{sub}</div>}
      </div>
      {actions && <div className="head-actions">{actions}</div>}
    </header>
  );
}

type Tab = "data" | "commits" | "imports" | "settings";

/** The name of the repository and the ways through it. */
export function RepositoryHead({
  org,
  repo,
  tab,
  actions,
}: {
  org: string;
  repo: string;
  tab: Tab;
  actions?: ReactNode;
}) {
  const current = (name: Tab) => (name === tab ? ("page" as const) : undefined);
  return (
    <>
      <header className="head">
        <div className="head-text">
          <h1>
            <Link to={url.repository(org, repo)} className="row-link">
              {repo}
            </Link>
          </h1>
        </div>
        {actions && <div className="head-actions">{actions}</div>}
      </header>
      <nav className="tabs" aria-label="Repository">
        <Link to={url.repository(org, repo)} aria-current={current("data")}>
          Data
        </Link>
        <Link to={url.commits(org, repo)} aria-current={current("commits")}>
          Commits
        </Link>
        <Link to={url.imports(org, repo)} aria-current={current("imports")}>
          Imports
        </Link>
        <Link to={url.settings(org, repo)} aria-current={current("settings")}>
          Settings
        </Link>
      </nav>
    </>
  );
}

/** Where a path is: each folder above it is a link. */
export function Crumbs({
  org,
  repo,
  path,
  at,
  children,
}: {
  org: string;
  repo: string;
  path: string;
  at: string;
  children?: ReactNode;
}) {
  const above = ancestors(path);
  const leaf = path.slice(above.at(-1)?.prefix.length ?? 0);
  const up = leaf === "" ? (above.at(-2)?.prefix ?? "") : (above.at(-1)?.prefix ?? "");
  return (
    <nav className="crumbs" aria-label="Path">
      <Link to={url.tree(org, repo, at, "")} className="crumbs-repo">
        {repo}
      </Link>
      {above.map(({ name, prefix }, index) => {
        const last = leaf === "" && index === above.length - 1;
        return (
          <span key={prefix}>
            <span aria-hidden="true">/ </span>
            {last ? (
              <span aria-current="page">
                <Name text={name || "(no name)"} />
              </span>
            ) : (
              <Link to={url.tree(org, repo, at, prefix)}>
                <Name text={name || "(no name)"} />
              </Link>
            )}
          </span>
        );
      })}
      {leaf && (
        <span>
          <span aria-hidden="true">/ </span>
          <span aria-current="page">
            <Name text={leaf} />
          </span>
        </span>
      )}
      {path && <Copy text={path} what="the path" />}
      {at !== HEAD && (
        <span className="badge" title={at}>
          at {at.slice(0, 10)}
        </span>
      )}
      {path && (
        <Link to={url.tree(org, repo, at, up)} data-up="" className="unseen" tabIndex={-1}>
          Up
        </Link>
      )}
      {children}
    </nav>
  );
}
