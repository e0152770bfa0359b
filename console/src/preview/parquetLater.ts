// Loads the Parquet reader when the first such file is opened.
import type { ParquetTable } from "./parquet";

type Read = (start: number, end: number) => Promise<ArrayBuffer>;

export async function readParquet(byteLength: number, read: Read): Promise<ParquetTable> {
  const { readParquet } = await import("./parquet");
  return readParquet(byteLength, read);
}
