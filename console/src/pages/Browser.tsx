// The object browser: the folders and objects below a folder, however many there are.
import { type ReactNode, useDeferredValue, useState } from "react";
import { objects } from "../api/endpoints";
import { PAGE_ROWS } from "../api/listing";
import type { ListingEntry } from "../api/types";
import { useListing } from "../api/useListing";
import { Ago } from "../components/Ago";
import { Filter } from "../components/Filter";
import { Name } from "../components/Name";
import { Failure, Note, Waiting } from "../components/Note";
import { Rows } from "../components/Rows";
import { below } from "../format/name";
import { count, size } from "../format/size";
import { Link } from "../routing/Link";
import { HEAD, url } from "../routing/route";
import { Remove } from "./Remove";

type Props = {
  org: string;
  repo: string;
  at: string;
  commit: string;
  folder: string;
  home: boolean;
  crumbs: ReactNode;
};

export function Browser({ org, repo, at, commit, folder, home, crumbs }: Props) {
  const [filter, setFilter] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [removing, setRemoving] = useState(false);
  const prefix = folder + useDeferredValue(filter);
  const wanted = [org, repo, commit, prefix].join("\n");
  const { listing, state, want, key } = useListing<ListingEntry>(wanted, (after, signal) =>
    objects.list(
      { org, repo, ref: commit },
      { prefix, delimiter: "/", after, amount: PAGE_ROWS, signal },
    ),
  );
  const toggle = (path: string) => {
    const next = new Set(chosen);
    if (!next.delete(path)) next.add(path);
    setChosen(next);
  };
  const row = (index: number) => {
    const entry = listing.row(index);
    if (!entry) return WAITING;
    return (
      <Row
        key={entry.path}
        org={org}
        repo={repo}
        at={at}
        folder={folder}
        entry={entry}
        chosen={chosen.has(entry.path)}
        onChoose={at === HEAD ? toggle : undefined}
      />
    );
  };
  const empty = state.complete && state.count === 0;
  return (
    <>
      <div className="toolbar">
        {crumbs}
        <div className="toolbar-end">
          {chosen.size > 0 && (
            <button
              type="button"
              className="button button-danger"
              onClick={() => setRemoving(true)}
            >
              Delete {count(chosen.size)}
            </button>
          )}
          <span className="faint tabular nowrap" aria-live="polite">
            {state.count > 0 && `${count(state.count)}${state.complete ? "" : "+"} here`}
          </span>
          <Filter
            value={filter}
            onValue={setFilter}
            label="Filter by prefix"
            placeholder="Starts with…"
          />
        </div>
      </div>
      {removing && (
        <Remove
          org={org}
          repo={repo}
          commit={commit}
          chosen={[...chosen]}
          onClose={() => setRemoving(false)}
          onDone={() => {
            setRemoving(false);
            setChosen(new Set());
          }}
        />
      )}
      <Failure error={state.error} title="The listing stopped" again={() => listing.again()} />
      {empty && <Nothing folder={folder} prefix={filter ? prefix : ""} />}
      {state.count === 0 && state.loading && <Waiting what="Listing" />}
      {state.count > 0 && (
        <Rows
          label={`Objects in ${folder || repo}`}
          grid="grid-tree"
          className={home ? "rows-home" : "rows-tree"}
          count={state.count}
          complete={state.complete}
          row={row}
          onRange={want}
          resetKey={key}
          header={HEADER}
        />
      )}
    </>
  );
}

const HEADER = (
  <>
    <span role="columnheader">
      <span className="unseen">Selected</span>
    </span>
    <span role="columnheader">Name</span>
    <span role="columnheader">Type</span>
    <span role="columnheader" className="number">
      Size
    </span>
    <span role="columnheader" className="number">
      Modified
    </span>
  </>
);

const WAITING = (
  <>
    <span />
    <span className="row-wait" role="cell">
      …
    </span>
  </>
);

function Nothing({ folder, prefix }: { folder: string; prefix: string }) {
  if (prefix)
    return (
      <Note>
        No path here starts with <Name text={prefix} />.
      </Note>
    );
  return (
    <Note>
      There is nothing at <Name text={folder || "the root"} /> in this commit.
    </Note>
  );
}

function FolderMark() {
  return (
    <svg
      className="folder-mark"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.3"
      aria-hidden="true"
    >
      <path d="M1.5 4v8.5a1 1 0 0 0 1 1h11a1 1 0 0 0 1-1v-7a1 1 0 0 0-1-1H8L6.5 3h-4a1 1 0 0 0-1 1z" />
    </svg>
  );
}

type RowProps = {
  org: string;
  repo: string;
  at: string;
  folder: string;
  entry: ListingEntry;
  chosen: boolean;
  onChoose?: ((path: string) => void) | undefined;
};

function Row({ org, repo, at, folder, entry, chosen, onChoose }: RowProps) {
  const name = below(entry.path, folder);
  const isFolder = entry.type === "prefix";
  const to = isFolder ? url.tree(org, repo, at, entry.path) : url.object(org, repo, at, entry.path);
  return (
    <>
      <span role="cell" className="check-cell">
        {onChoose && (
          <input
            type="checkbox"
            checked={chosen}
            onChange={() => onChoose(entry.path)}
            aria-label={`Select ${name}`}
          />
        )}
      </span>
      <span role="cell" className="cell-name">
        {isFolder && <FolderMark />}
        <span className="clip">
          <Link row to={to} className={isFolder ? "row-link folder" : "row-link"} title={name}>
            <Name text={name || "(no name)"} />
          </Link>
        </span>
      </span>
      <span role="cell" className="clip faint">
        {entry.entry && <Name text={entry.entry.content_type} />}
      </span>
      <span role="cell" className="number">
        {entry.entry && size(entry.entry.size)}
      </span>
      <span role="cell" className="number faint">
        {entry.entry && <Ago time={entry.entry.last_modified} />}
      </span>
    </>
  );
}
