// Every place survives its URL, whatever its object is called.
import { describe, expect, it } from "vitest";
import { HEAD, fitsUrl, parse, url } from "./route";

const opened = (href: string) => {
  const address = new URL(href, "http://console.example");
  return parse(address.pathname, address.search);
};

describe("routes", () => {
  const hostile = [
    "a.csv",
    "a b/c",
    "dot/../up",
    "./x",
    "..",
    "a//b",
    "/lead",
    "100%",
    "q?x=1#f",
    "line\nbreak",
    "rtl\u202egnp.exe",
    "日本語/ü",
    "<script>",
    "back\\slash",
    "a/",
    "%2e%2e/x",
    "plus+plus&x=y",
  ];
  it.each(hostile)("keeps the object %j", (path) => {
    expect(opened(url.object("o-1", "r.x", HEAD, path))).toEqual({
      page: "object",
      org: "o-1",
      repo: "r.x",
      at: HEAD,
      path,
    });
  });
  it.each(hostile)("keeps the folder %j", (path) => {
    expect(opened(url.tree("o-1", "r", "abc", path))).toMatchObject({
      page: "tree",
      at: "abc",
      path,
    });
  });
  it("knows what a browser would rewrite", () => {
    expect(fitsUrl("a/b/")).toBe(true);
    expect(fitsUrl("a//")).toBe(false);
    expect(fitsUrl("a/./b")).toBe(false);
  });
  it("reaches a repository named like a page", () => {
    expect(opened(url.repository("o1", "connectors"))).toMatchObject({
      page: "tree",
      repo: "connectors",
    });
    expect(opened(url.commits("o1", "connectors"))).toMatchObject({
      page: "commits",
      repo: "connectors",
    });
    expect(opened(url.connectors("o1"))).toEqual({ page: "connectors", org: "o1" });
    expect(opened(url.connector("o1", "45af7af4"))).toEqual({
      page: "connector",
      org: "o1",
      id: "45af7af4",
    });
  });
  it("reads both sides of a comparison", () => {
    expect(opened(url.compare("o1", "r", "aa", "bb"))).toMatchObject({ left: "aa", right: "bb" });
    expect(opened(url.compare("o1", "r", "", "bb"))).toMatchObject({ left: "", right: "bb" });
  });
});
