// The comparison of two texts gives both of them back, and says what changed.
import { describe, expect, it } from "vitest";
import { type Row, compare, folded, lines } from "./lines";

const left = (rows: Row[]) =>
  rows.flatMap((row) => ("left" in row && row.left ? [row.left.text] : []));
const right = (rows: Row[]) =>
  rows.flatMap((row) => ("right" in row && row.right ? [row.right.text] : []));
const edits = (rows: Row[]) => rows.filter((row) => row.kind !== "same").map((row) => row.kind);

describe("compare", () => {
  it("finds the shortest edit", () => {
    const rows = compare([..."ABCABBA"], [..."CBABAC"]);
    expect(left(rows).join("")).toBe("ABCABBA");
    expect(right(rows).join("")).toBe("CBABAC");
    expect(rows.filter((row) => row.kind === "same").length).toBe(4);
  });
  it("puts a replaced line beside the new one", () => {
    expect(edits(compare(["a", "b", "c"], ["a", "x", "c"]))).toEqual(["changed"]);
    expect(edits(compare([], ["a", "b"]))).toEqual(["added", "added"]);
    expect(edits(compare(["a"], []))).toEqual(["removed"]);
    expect(compare([], [])).toEqual([]);
  });
  it("agrees with both texts, whatever they are", () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 400; round += 1) {
      const text = () => Array.from({ length: random(30) }, () => "abcd"[random(4)] as string);
      const [one, two] = [text(), text()];
      const rows = compare(one, two);
      expect(left(rows)).toEqual(one);
      expect(right(rows)).toEqual(two);
      const longest = common(one, two);
      expect(rows.filter((row) => row.kind === "same").length).toBe(longest);
      for (const row of rows) if (row.kind === "same") expect(row.left.text).toBe(row.right.text);
    }
  });
  it("gives up on texts with nothing in common, in little time", () => {
    const many = (name: string) => Array.from({ length: 20_000 }, (_, at) => `${name}${at}`);
    const began = performance.now();
    const rows = compare(many("a"), many("b"));
    expect(rows.length).toBe(20_000);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe("folded", () => {
  it("keeps what is near a change and counts the rest", () => {
    const one = Array.from({ length: 100 }, (_, at) => String(at));
    const two = one.with(50, "x");
    const rows = folded(compare(one, two));
    expect(rows.map((row) => row.kind)).toEqual([
      "gap",
      "same",
      "same",
      "same",
      "changed",
      "same",
      "same",
      "same",
      "gap",
    ]);
    expect(rows[0]).toEqual({ kind: "gap", lines: 47 });
    expect(rows.at(-1)).toEqual({ kind: "gap", lines: 46 });
  });
});

it("reads lines", () => {
  expect(lines("a\r\nb\n")).toEqual(["a", "b"]);
  expect(lines("")).toEqual([]);
  expect(lines("\n")).toEqual([""]);
});

function common(one: string[], two: string[]): number {
  const table = Array.from({ length: one.length + 1 }, () =>
    new Array<number>(two.length + 1).fill(0),
  );
  one.forEach((a, i) =>
    two.forEach((b, j) => {
      table[i + 1]![j + 1] =
        a === b ? table[i]![j]! + 1 : Math.max(table[i]![j + 1]!, table[i + 1]![j]!);
    }),
  );
  return table[one.length]![two.length]!;
}
