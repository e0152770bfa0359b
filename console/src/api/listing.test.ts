// A long listing is read page by page, and what was let go comes back.
import { expect, it, vi } from "vitest";
import { Listing, PAGE_ROWS } from "./listing";

const settle = () => new Promise((done) => setTimeout(done, 0));

function source(total: number) {
  return vi.fn(async (after: string | undefined) => {
    const from = after === undefined ? 0 : Number(after);
    const results = Array.from({ length: Math.min(PAGE_ROWS, total - from) }, (_, at) => from + at);
    const next = from + results.length;
    return {
      results,
      pagination: { has_more: next < total, next_offset: String(next), max_per_page: PAGE_ROWS },
    };
  });
}

it("goes on as the end comes into view, and ends", async () => {
  const fetch = source(2_500);
  const listing = new Listing<number>(fetch);
  listing.want(0, 30);
  await settle();
  expect(listing.snapshot()).toMatchObject({ count: 1_000, complete: false });
  expect(fetch).toHaveBeenCalledTimes(1);
  listing.want(0, 30);
  await settle();
  expect(fetch).toHaveBeenCalledTimes(1);
  for (const last of [700, 1_600]) {
    listing.want(last - 30, last);
    await settle();
  }
  expect(listing.snapshot()).toMatchObject({ count: 2_500, complete: true, loading: false });
  expect([listing.row(0), listing.row(999), listing.row(1_000), listing.row(2_499)]).toEqual([
    0, 999, 1_000, 2_499,
  ]);
  expect(listing.row(2_500)).toBeUndefined();
});

it("lets far pages go and fetches them again", async () => {
  const fetch = source(100_000);
  const listing = new Listing<number>(fetch);
  for (let last = 0; last < 100_000; last += 900) {
    listing.want(Math.max(0, last - 30), last);
    await settle();
  }
  expect(listing.rows().length).toBeLessThanOrEqual(40_000);
  expect(listing.row(10)).toBeUndefined();
  listing.want(0, 30);
  await settle();
  expect(listing.row(10)).toBe(10);
});

it("keeps an error until asked again", async () => {
  const fetch = source(10);
  fetch.mockRejectedValueOnce(new Error("down"));
  const listing = new Listing<number>(fetch);
  listing.want(0, 30);
  await settle();
  expect(listing.snapshot().error).toBeInstanceOf(Error);
  listing.want(0, 30);
  expect(fetch).toHaveBeenCalledTimes(1);
  listing.again();
  await settle();
  expect(listing.snapshot()).toMatchObject({ count: 10, complete: true, error: undefined });
});
