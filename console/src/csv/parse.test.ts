// Tables are read as they are written.
import { expect, it } from "vitest";
import { numeric, parse } from "./parse";

const whole = { rowsMax: 100, cut: false };

it("reads quotes, line breaks in cells, and empty cells", () => {
  const table = parse('a,b\r\n"x, ""y""\nz",\n1,2', whole);
  expect(table.header).toEqual(["a", "b"]);
  expect(table.rows).toEqual([
    ['x, "y"\nz', ""],
    ["1", "2"],
  ]);
  expect(table.more).toBe(false);
});

it("finds the delimiter", () => {
  expect(parse("a;b;c\n1,5;2;3\n4;5;6\n", whole).delimiter).toBe(";");
  expect(parse("a\tb\n1\t2\n", whole).delimiter).toBe("\t");
  expect(parse("one\ntwo\n", whole).rows).toEqual([["two"]]);
});

it("leaves a row out that was cut off", () => {
  const table = parse("a,b\n1,2\n3,", { rowsMax: 100, cut: true });
  expect(table.rows).toEqual([["1", "2"]]);
  expect(table.more).toBe(true);
});

it("stops at the rows wanted", () => {
  const table = parse(`a,b\n${"1,2\n".repeat(1_000)}`, { rowsMax: 10, cut: false });
  expect(table.rows.length).toBe(10);
  expect(table.more).toBe(true);
});

it("is not kept busy by an open quote", () => {
  const table = parse(`a,b\n"${"x".repeat(200_000)}`, whole);
  expect(table.rows.length).toBe(1);
});

it("knows columns of numbers", () => {
  expect(numeric(parse("a,b,c\n1,x,\n-2.5e3,y,\n", whole))).toEqual([true, false, false]);
});
