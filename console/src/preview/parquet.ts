// The beginning of a Parquet file, read through range requests: its footer, then the pages of the
// first rows. Loaded only when such a file is opened.
import { decompress as zstd } from "fzstd";
import {
  type AsyncBuffer,
  type Compressors,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";

export type ParquetTable = {
  header: { name: string; type: string }[];
  rows: string[][];
  numeric: boolean[];
  totalRows: number;
  groups: number;
  columns: number;
};

const ROWS_MAX = 200;
const COLUMNS_MAX = 200;
/** Bytes of one request; a larger row group is not read for a preview. */
const READ_BYTES_MAX = 64 * 1024 * 1024;
const CELL_CHARS_MAX = 300;

// Snappy and uncompressed pages are read by the library itself.
const compressors: Compressors = { ZSTD: (input: Uint8Array) => zstd(input) };

/** The first rows, given the size of the file and a way to read a part of it. */
export async function readParquet(
  byteLength: number,
  read: (start: number, end: number) => Promise<ArrayBuffer>,
): Promise<ParquetTable> {
  const file: AsyncBuffer = {
    byteLength,
    slice: (start, end = byteLength) => {
      const from = start < 0 ? byteLength + start : start;
      if (end - from > READ_BYTES_MAX)
        throw new Error(
          "Its first rows lie in a part of more than 64 MiB, which is too much for a preview. Download it instead.",
        );
      return read(from, end);
    },
  };
  const metadata = await parquetMetadataAsync(file);
  const columns = parquetSchema(metadata).children.slice(0, COLUMNS_MAX);
  const names = columns.map(({ element }) => element.name);
  const objects = await parquetReadObjects({
    file,
    metadata,
    columns: names,
    rowStart: 0,
    rowEnd: ROWS_MAX,
    compressors,
  });
  return {
    header: columns.map(({ element }) => ({ name: element.name, type: typeName(element) })),
    rows: objects.map((row) => names.map((name) => cell(row[name]))),
    numeric: names.map((name) =>
      objects.every(
        (row) =>
          row[name] == null || typeof row[name] === "number" || typeof row[name] === "bigint",
      ),
    ),
    totalRows: Number(metadata.num_rows),
    groups: metadata.row_groups.length,
    columns: parquetSchema(metadata).children.length,
  };
}

type Element = {
  type?: string | undefined;
  converted_type?: string | undefined;
  logical_type?: { type: string } | undefined;
  repetition_type?: string | undefined;
};

function typeName({ type, converted_type, logical_type, repetition_type }: Element): string {
  const name = (logical_type?.type ?? converted_type ?? type ?? "group")
    .toLowerCase()
    .replace("byte_array", "bytes")
    .replace("utf8", "string");
  return repetition_type === "REQUIRED" ? `${name}, required` : name;
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  const text =
    typeof value === "object"
      ? JSON.stringify(value, (_, inner: unknown) =>
          typeof inner === "bigint" ? Number(inner) : inner,
        )
      : String(value);
  return text.length > CELL_CHARS_MAX ? `${text.slice(0, CELL_CHARS_MAX)}…` : text;
}
