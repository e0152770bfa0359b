// Changed paths become a tree that counts.
import { expect, it } from "vitest";
import { type Change, grown, rows, total } from "./tree";

const change = (path: string, status: Change["status"] = "modified"): Change => ({
  path,
  status,
  size: 1,
});

it("counts below each folder and joins lonely ones", () => {
  const root = grown([
    change("a/b/c.txt", "added"),
    change("a/b/d.txt", "removed"),
    change("z.txt"),
  ]);
  expect(root.counts).toEqual({ added: 1, modified: 1, removed: 1 });
  expect(total(root.counts)).toBe(3);
  expect(rows(root, () => true).map((row) => `${"  ".repeat(row.depth)}${row.name}`)).toEqual([
    "a/b/",
    "  c.txt",
    "  d.txt",
    "z.txt",
  ]);
});

it("closes folders", () => {
  const root = grown([change("a/x"), change("b/y")]);
  const shown = rows(root, ({ prefix }) => prefix !== "a/");
  expect(shown.map((row) => row.name)).toEqual(["a/", "b/", "y"]);
  expect(shown[0]).toMatchObject({ open: false, counts: { modified: 1 } });
});

it("keeps names that are empty or hostile", () => {
  const root = grown([change("a//b"), change("__proto__/x"), change("constructor")]);
  expect(rows(root, () => true).map((row) => row.name)).toEqual([
    "a//",
    "b",
    "__proto__/",
    "x",
    "constructor",
  ]);
});
