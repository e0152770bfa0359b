// What is in an object, as far as it can be shown without running anything of it.
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { type Where, objects } from "../api/endpoints";
import type { Entry } from "../api/types";
import { Failure, Note, Waiting } from "../components/Note";
import { numeric, parse as parseCsv } from "../csv/parse";
import { count, counted, size } from "../format/size";
import { Markdown } from "../markdown/Markdown";
import { url } from "../routing/route";
import { JsonView } from "./JsonView";
import { SheetView } from "./SheetView";
import { TextView } from "./TextView";
import { decode, hexLines, kind, pictureType } from "./kind";
import { readParquet } from "./parquetLater";

/** Bytes that are read for text at first, and when more is asked for. */
const FIRST_BYTES = 64 * 1024;
const MORE_BYTES = 2 * 1024 * 1024;
const PICTURE_BYTES_MAX = 32 * 1024 * 1024;
const JSON_BYTES_MAX = 4 * 1024 * 1024;
const CSV_ROWS_MAX = 500;
const HEX_BYTES = 1_024;

type Props = { where: Where; path: string; entry: Entry; at: string };

export function Preview({ where, path, entry, at }: Props) {
  const [raw, setRaw] = useState(false);
  const shape = kind(path, entry.content_type);
  const source = shape !== "text" && shape !== "picture" && shape !== "parquet";
  if (entry.size === 0) return <Note>This object is empty.</Note>;
  const control = source && (
    <div className="switch" role="group" aria-label="Show as">
      <button type="button" aria-pressed={!raw} onClick={() => setRaw(false)}>
        {shape === "csv" ? "Table" : shape === "json" ? "Tree" : "Document"}
      </button>
      <button type="button" aria-pressed={raw} onClick={() => setRaw(true)}>
        Source
      </button>
    </div>
  );
  const props = { where, path, entry, at };
  if (shape === "picture") return <Picture {...props} />;
  if (shape === "parquet") return <Parquet {...props} />;
  return <Text {...props} shape={raw ? "text" : shape} control={control} />;
}

function Frame({
  about,
  control,
  children,
}: {
  about: ReactNode;
  control?: ReactNode;
  children: ReactNode;
}) {
  return (
    <div className="preview">
      <div className="preview-head">
        <span>{about}</span>
        {control}
      </div>
      {children}
    </div>
  );
}

function useBytes(where: Where, path: string, bytes: number, enabled = true) {
  return useQuery({
    queryKey: ["bytes", where, path, bytes],
    enabled,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    queryFn: async ({ signal }) =>
      new Uint8Array(await objects.bytes(where, path, 0, bytes, signal)),
  });
}

function Text({
  where,
  path,
  entry,
  at,
  shape,
  control,
}: Props & { shape: string; control: ReactNode }) {
  const [more, setMore] = useState(false);
  const wanted =
    shape === "json"
      ? JSON_BYTES_MAX
      : more
        ? MORE_BYTES
        : shape === "text"
          ? FIRST_BYTES
          : FIRST_BYTES * 4;
  const found = useBytes(where, path, Math.min(entry.size, wanted));
  const cut = entry.size > wanted;
  const text = useMemo(() => (found.data ? decode(found.data, cut) : undefined), [found.data, cut]);
  if (found.isPending) return <Waiting what="Reading" />;
  if (found.error) return <Failure error={found.error} again={() => void found.refetch()} />;
  if (text === undefined) {
    const some = found.data.slice(0, HEX_BYTES);
    return (
      <Frame about={`Not text. The first ${counted(some.length, "byte")}`}>
        <TextView text={hexLines(some)} label="Bytes" />
      </Frame>
    );
  }
  const rest = cut && (
    <span>
      the first {size(wanted)} of {size(entry.size)}{" "}
      {!more && shape !== "json" && (
        <button
          type="button"
          className="button button-plain button-small"
          onClick={() => setMore(true)}
        >
          Show {size(Math.min(entry.size, MORE_BYTES))}
        </button>
      )}
    </span>
  );
  if (shape === "csv") return <Csv text={text} cut={cut} rest={rest} control={control} />;
  if (shape === "json" && !cut) {
    const value = json(text);
    if (value)
      return (
        <Frame about={size(entry.size)} control={control}>
          <JsonView value={value.value} label="JSON" />
        </Frame>
      );
  }
  if (shape === "markdown") {
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    const { org, repo } = where;
    return (
      <Frame about={rest || size(entry.size)} control={control}>
        <Markdown
          text={text}
          folder={folder}
          objectUrl={(to) =>
            to.endsWith("/") ? url.tree(org, repo, at, to) : url.object(org, repo, at, to)
          }
        />
      </Frame>
    );
  }
  return (
    <Frame about={rest || size(entry.size)} control={control}>
      <TextView text={text} label="Text" />
    </Frame>
  );
}

/** Whole numbers that a browser would round stay as they are written, where it tells them. */
function parseJson(text: string): unknown {
  const exact = (_: string, value: unknown, context?: { source?: string }) => {
    const source = context?.source;
    const rounded =
      typeof value === "number" &&
      !Number.isSafeInteger(value) &&
      source !== undefined &&
      /^-?\d+$/.test(source);
    return rounded ? BigInt(source) : value;
  };
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
}

function json(text: string): { value: unknown } | undefined {
  try {
    return { value: parseJson(text) };
  } catch {
    return undefined;
  }
}

function Csv({
  text,
  cut,
  rest,
  control,
}: {
  text: string;
  cut: boolean;
  rest: ReactNode;
  control: ReactNode;
}) {
  const table = useMemo(() => parseCsv(text, { rowsMax: CSV_ROWS_MAX, cut }), [text, cut]);
  const shown = `${table.more ? "the first " : ""}${counted(table.rows.length, "row")}, ${counted(table.header.length, "column")}`;
  return (
    <Frame
      about={
        <>
          {shown}
          {rest && <>, {rest}</>}
        </>
      }
      control={control}
    >
      <SheetView
        label="Table"
        header={table.header.map((name) => ({ name }))}
        rows={table.rows}
        numeric={numeric(table)}
      />
    </Frame>
  );
}

function Picture({ where, path, entry, at }: Props) {
  const small = entry.size <= PICTURE_BYTES_MAX;
  const found = useBytes(where, path, entry.size, small);
  const type = found.data && pictureType(found.data);
  const [address, setAddress] = useState<string>();
  const [broken, setBroken] = useState(false);
  const [pixels, setPixels] = useState("");
  useEffect(() => {
    if (!found.data || !type) return;
    // The type is the one of the bytes, so the browser reads them as a picture or not at all.
    const made = URL.createObjectURL(new Blob([found.data as BlobPart], { type }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [found.data, type]);
  if (!small)
    return (
      <Note>
        A picture of {size(entry.size)} is too large to be shown here. Download it instead.
      </Note>
    );
  if (found.isPending) return <Waiting what="Reading" />;
  if (found.error) return <Failure error={found.error} again={() => void found.refetch()} />;
  if (!type || broken) {
    return (
      <>
        <Note tone="warn">
          It is named like a picture and is none that can be shown. This is what is in it.
        </Note>
        <Text where={where} path={path} entry={entry} at={at} shape="text" control={undefined} />
      </>
    );
  }
  return (
    <Frame
      about={
        <>
          {type.slice("image/".length)}, {size(entry.size)}
          {pixels}
        </>
      }
    >
      <div className="picture">
        {address && (
          <img
            src={address}
            alt="The object as a picture"
            onError={() => setBroken(true)}
            onLoad={(event) =>
              setPixels(
                `, ${count(event.currentTarget.naturalWidth)} × ${count(event.currentTarget.naturalHeight)} pixels`,
              )
            }
          />
        )}
      </div>
    </Frame>
  );
}

function Parquet({ where, path, entry }: Props) {
  const found = useQuery({
    queryKey: ["parquet", where, path],
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
    queryFn: ({ signal }) =>
      readParquet(entry.size, (start, end) => objects.bytes(where, path, start, end, signal)),
  });
  if (found.isPending) return <Waiting what="Reading the footer and the first rows" />;
  if (found.error) return <Failure title="This Parquet file cannot be shown" error={found.error} />;
  const { header, rows, numeric: numbers, totalRows, groups, columns } = found.data;
  const about = `${counted(totalRows, "row")} in ${counted(groups, "row group")}, ${counted(columns, "column")}; the first ${count(rows.length)}`;
  return (
    <Frame about={about}>
      <SheetView label="Table" header={header} rows={rows} numeric={numbers} />
    </Frame>
  );
}
