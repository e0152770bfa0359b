// The chart of the speed has a round top and few points.
import { expect, it } from "vitest";
import { ceiling, thinned } from "./RateChart";

it.each([
  [0, 1],
  [1, 1],
  [3, 5],
  [148e6, 200e6],
  [999, 1000],
  [5e9, 5e9],
])("rounds %d up to %d", (value, top) => expect(ceiling(value)).toBe(top));

it("averages what is too much to draw", () => {
  const samples = Array.from({ length: 1_000 }, (_, at) => ({ time: at, rate: at % 2 ? 10 : 20 }));
  const found = thinned(samples, 100);
  expect(found.length).toBe(100);
  expect(found[0]).toEqual({ time: 9, rate: 15 });
  expect(thinned(samples.slice(0, 3), 100).length).toBe(3);
});
