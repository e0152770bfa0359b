// One changed object: both texts side by side, or what can be said of other bytes.
import { useQuery } from "@tanstack/react-query";
import { Fragment, useEffect, useMemo, useRef, useState } from "react";
import { objects } from "../api/endpoints";
import { Name } from "../components/Name";
import { Failure, Note, Waiting } from "../components/Note";
import { ChangeMark } from "../components/Status";
import { type Row, compare, folded, lines } from "../diff/lines";
import type { Change } from "../diff/tree";
import { count, counted, signedSize, size } from "../format/size";
import { decode } from "../preview/kind";
import { unturned } from "../preview/TextView";
import { Link } from "../routing/Link";
import { url } from "../routing/route";
import { useSizes } from "./useSizes";

/** Bytes of a text that are compared. */
const BYTES_MAX = 1024 * 1024;
/** Rows that are drawn. */
const ROWS_MAX = 4_000;
const LINE_CHARS_MAX = 2_000;

type Props = {
  org: string;
  repo: string;
  left: string;
  right: string;
  change: Change;
  onClose: () => void;
};

export function Sides({ org, repo, left, right, change, onClose }: Props) {
  const sizes = useSizes(org, repo, left, change);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => box.current?.focus(), []);
  const { path, status } = change;
  const links = (
    <span className="head-actions">
      {status !== "added" && <Link to={url.object(org, repo, left, path)}>before</Link>}
      {status !== "removed" && <Link to={url.object(org, repo, right, path)}>after</Link>}
      <button type="button" className="button button-plain button-small" onClick={onClose}>
        Close
      </button>
    </span>
  );
  return (
    <div className="preview" ref={box} tabIndex={-1} role="region" aria-label="Side by side">
      <div className="preview-head">
        <span>
          <ChangeMark status={status} /> <Name text={path} />
          {sizes && (
            <span className="faint tabular">
              {" "}
              {size(sizes.left)} → {size(sizes.right)}, {signedSize(sizes.right - sizes.left)}
            </span>
          )}
        </span>
        {links}
      </div>
      {!sizes ? (
        <Waiting what="Reading" />
      ) : Math.max(sizes.left, sizes.right) > BYTES_MAX ? (
        <Note>
          Texts of up to {size(BYTES_MAX)} are shown side by side. These are larger: open them on
          their own.
        </Note>
      ) : (
        <Both
          org={org}
          repo={repo}
          left={sizes.left > 0 ? left : undefined}
          right={sizes.right > 0 ? right : undefined}
          path={path}
        />
      )}
    </div>
  );
}

function Both({
  org,
  repo,
  left,
  right,
  path,
}: {
  org: string;
  repo: string;
  left: string | undefined;
  right: string | undefined;
  path: string;
}) {
  const found = useQuery({
    queryKey: ["sides", org, repo, left, right, path],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const text = async (ref: string | undefined) => {
        if (ref === undefined) return "";
        return decode(
          new Uint8Array(await objects.bytes({ org, repo, ref }, path, 0, BYTES_MAX, signal)),
          false,
        );
      };
      const [before, after] = await Promise.all([text(left), text(right)]);
      return before === undefined || after === undefined
        ? null
        : compare(lines(before), lines(after));
    },
  });
  const [whole, setWhole] = useState(false);
  const shown = useMemo(
    () => (found.data ? (whole ? found.data : folded(found.data)) : []),
    [found.data, whole],
  );
  if (found.isPending) return <Waiting what="Comparing" />;
  if (found.error) return <Failure error={found.error} />;
  if (found.data === null)
    return <Note>These bytes are not text, so there is nothing to put side by side.</Note>;
  return (
    <div className="preview-box" tabIndex={0} role="region" aria-label="Both texts">
      <div className="sides">
        {shown.slice(0, ROWS_MAX).map((row, at) => (
          <Fragment key={at}>
            <Line row={row} onWhole={() => setWhole(true)} />
          </Fragment>
        ))}
      </div>
      {shown.length > ROWS_MAX && (
        <div className="preview-head">
          {counted(shown.length - ROWS_MAX, "more line")} not shown
        </div>
      )}
    </div>
  );
}

function Line({ row, onWhole }: { row: Row; onWhole: () => void }) {
  if (row.kind === "gap") {
    return (
      <div className="gap">
        {count(row.lines)} unchanged lines{" "}
        <button type="button" className="button button-plain button-small" onClick={onWhole}>
          Show all
        </button>
      </div>
    );
  }
  const text = (value: string) =>
    unturned(value.length > LINE_CHARS_MAX ? `${value.slice(0, LINE_CHARS_MAX)}…` : value);
  const same = row.kind === "same";
  return (
    <>
      {row.left ? (
        <>
          <div className="at">
            {row.left.number}
            {!same && <span className="minus"> −</span>}
          </div>
          <div className={same ? undefined : "was"}>{text(row.left.text)}</div>
        </>
      ) : (
        <>
          <div className="at none" />
          <div className="none" />
        </>
      )}
      {row.right ? (
        <>
          <div className={same ? "at same-right" : "at"}>
            {row.right.number}
            {!same && <span className="plus"> +</span>}
          </div>
          <div className={same ? "same-right" : "is"}>{text(row.right.text)}</div>
        </>
      ) : (
        <>
          <div className="at none" />
          <div className="none" />
        </>
      )}
    </>
  );
}
