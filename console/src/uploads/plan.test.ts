// Files go up whole or in parts that cover them exactly.
import { expect, it } from "vitest";
import {
  PART_BYTES,
  PARTS_MAX,
  batches,
  message,
  objection,
  parts,
  pathOf,
  sameOrigin,
} from "./plan";

it("divides from 64 MiB on", () => {
  expect(parts(0)).toBeUndefined();
  expect(parts(PART_BYTES - 1)).toBeUndefined();
  expect(parts(PART_BYTES)).toEqual([{ number: 1, start: 0, end: PART_BYTES }]);
});

it.each([PART_BYTES + 1, 3 * PART_BYTES, 5e12])("covers %d bytes", (bytes) => {
  const found = parts(bytes) ?? [];
  expect(found.length).toBeLessThanOrEqual(PARTS_MAX);
  expect(found[0]?.start).toBe(0);
  expect(found.at(-1)?.end).toBe(bytes);
  found.slice(1).forEach((part, at) => expect(part.start).toBe(found[at]?.end));
});

it("knows what cannot be a path", () => {
  expect(objection("a/b")).toBeUndefined();
  expect(objection("é".repeat(1_024))).toBeUndefined();
  expect(objection("é".repeat(1_025))).toMatch(/2048 bytes/);
  expect(objection("a\0")).toMatch(/NUL/);
});

it("joins, batches and names", () => {
  expect(pathOf("a/", "x/y.txt")).toBe("a/x/y.txt");
  expect(batches([1, 2, 3], 2)).toEqual([[1, 2], [3]]);
  expect(message("Add", ["a/b.txt"])).toBe("Add b.txt");
  expect(message("Delete", ["a", "b"])).toBe("Delete 2 objects");
  expect(sameOrigin("https://data.example.com/api/v1/uploads/x?sig=a%2Bb")).toBe(
    "/api/v1/uploads/x?sig=a%2Bb",
  );
});
