// The changed paths between two commits, as a tree with counts; a text opens side by side.
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { commits } from "../api/endpoints";
import { Filter } from "../components/Filter";
import { Name } from "../components/Name";
import { Failure, Note, Waiting } from "../components/Note";
import { Rows } from "../components/Rows";
import { ChangeCounts, ChangeMark } from "../components/Status";
import { type Change, type TreeRow, grown, rows as treeRows, total } from "../diff/tree";
import { count, signedSize } from "../format/size";
import { Link } from "../routing/Link";
import { url } from "../routing/route";
import { Sides } from "./Sides";
import { useSizes } from "./useSizes";

/** Changes that are drawn as a tree; of more, the first ones are. */
const CHANGES_MAX = 20_000;
/** A folder with more changes is closed until it is opened. */
const OPEN_MAX = 60;

type Props = { org: string; repo: string; left: string; right: string };

export function Changes({ org, repo, left, right }: Props) {
  const [turned, setTurned] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [filter, setFilter] = useState("");
  const [opened, setOpened] = useState<Change>();
  const found = useQuery({
    queryKey: ["diff", org, repo, left, right],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) => everyChange({ org, repo, left, right }, signal),
  });
  const tree = useMemo(() => {
    const wanted = (found.data?.changes ?? []).filter(({ path }) =>
      path.toLowerCase().includes(filter.toLowerCase()),
    );
    return grown(wanted);
  }, [found.data, filter]);
  const shown = useMemo(
    () => treeRows(tree, (folder) => turned.get(folder.prefix) ?? total(folder.counts) <= OPEN_MAX),
    [tree, turned],
  );
  if (found.isPending) return <Waiting what="Comparing" />;
  if (found.error) return <Failure error={found.error} again={() => void found.refetch()} />;
  const toggle = (prefix: string, open: boolean) => setTurned(new Map(turned).set(prefix, !open));
  const { more, changes } = found.data;
  if (changes.length === 0) return <Note>Nothing differs.</Note>;
  return (
    <section className="section" aria-label="Changes">
      <div className="toolbar">
        <div className="head-actions">
          <h2>
            {count(total(tree.counts))}
            {more ? "+" : ""} changed
          </h2>
          <ChangeCounts counts={tree.counts} more={more} />
        </div>
        <Filter
          value={filter}
          onValue={setFilter}
          label="Filter changed paths"
          placeholder="Path contains…"
        />
      </div>
      {more && <Note tone="warn">Only the first {count(CHANGES_MAX)} changes are shown.</Note>}
      <Rows
        label="Changed paths"
        grid="grid-diff"
        className="rows-mid"
        count={shown.length}
        resetKey={filter}
        header={
          <>
            <span role="columnheader">Path</span>
            <span role="columnheader" className="number">
              Changes
            </span>
            <span role="columnheader" className="number">
              Size
            </span>
          </>
        }
        row={(index) => (
          <Row
            {...{ org, repo, left, right }}
            row={shown[index] as TreeRow}
            opened={opened?.path}
            onToggle={toggle}
            onOpen={setOpened}
          />
        )}
      />
      {opened && (
        <Sides
          key={opened.path}
          {...{ org, repo, left, right }}
          change={opened}
          onClose={() => setOpened(undefined)}
        />
      )}
    </section>
  );
}

async function everyChange(
  { org, repo, left, right }: Props,
  signal: AbortSignal,
): Promise<{ changes: Change[]; more: boolean }> {
  const changes: Change[] = [];
  let after: string | undefined;
  do {
    const page = await commits.diff(org, repo, { left, right, after, amount: 1_000, signal });
    for (const { path, status, entry } of page.results) {
      if (status === "added" || status === "modified" || status === "removed")
        changes.push({ path, status, size: entry?.size ?? 0 });
    }
    after = page.pagination.has_more ? page.pagination.next_offset : undefined;
  } while (after && changes.length < CHANGES_MAX);
  return { changes, more: after !== undefined };
}

type RowProps = Props & {
  row: TreeRow;
  opened: string | undefined;
  onToggle: (prefix: string, open: boolean) => void;
  onOpen: (change: Change) => void;
};

function Row({ org, repo, left, right, row, opened, onToggle, onOpen }: RowProps) {
  const indent = { paddingLeft: Math.min(row.depth, 12) * 16 };
  if (row.kind === "folder") {
    return (
      <>
        <span role="cell" className="cell-name" style={indent}>
          <button
            type="button"
            data-row=""
            className="copy"
            aria-expanded={row.open}
            onClick={() => onToggle(row.prefix, row.open)}
            aria-label={`${row.open ? "Close" : "Open"} ${row.name}`}
          >
            <span className="glyph" aria-hidden="true">
              {row.open ? "▾" : "▸"}
            </span>
          </button>
          <span className="clip folder" title={row.prefix}>
            <Name text={row.name} />
          </span>
        </span>
        <span role="cell" className="number">
          <ChangeCounts counts={row.counts} />
        </span>
        <span role="cell" />
      </>
    );
  }
  const { change } = row;
  const at = change.status === "removed" ? left : right;
  return (
    <>
      <span role="cell" className="cell-name" style={indent}>
        <span className="glyph">
          <ChangeMark status={change.status} />
        </span>
        <span className="clip">
          <Link
            row
            to={url.object(org, repo, at, change.path)}
            className="row-link"
            title={change.path}
          >
            <Name text={row.name || "(no name)"} />
          </Link>
        </span>
      </span>
      <span role="cell" className="number">
        <button
          type="button"
          className="button button-plain button-small"
          aria-expanded={opened === change.path}
          onClick={() => onOpen(change)}
          aria-label={`Compare ${row.name}`}
        >
          Compare
        </button>
      </span>
      <span role="cell" className="number">
        <Delta org={org} repo={repo} left={left} change={change} />
      </span>
    </>
  );
}

function Delta({
  org,
  repo,
  left,
  change,
}: {
  org: string;
  repo: string;
  left: string;
  change: Change;
}) {
  const sizes = useSizes(org, repo, left, change);
  if (!sizes) return <span className="faint">…</span>;
  const delta = sizes.right - sizes.left;
  return (
    <span className={delta > 0 ? "plus" : delta < 0 ? "minus" : "zero"}>{signedSize(delta)}</span>
  );
}
