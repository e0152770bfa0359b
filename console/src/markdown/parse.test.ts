// A README is read as blocks and spans, and nothing in it becomes active.
import { describe, expect, it } from "vitest";
import { parse, spans, target } from "./parse";

const text = (value: string) => ({ kind: "text", text: value });

describe("blocks", () => {
  it("reads headings, lists, code, quotes and tables", () => {
    const found = parse(
      "# A *b*\n\npara\ngoes on\n\n- one\n- two\n  more\n\n1. x\n\n```py\n# no\n```\n> q\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n",
    );
    expect(found.map((block) => block.kind)).toEqual([
      "heading",
      "paragraph",
      "list",
      "list",
      "code",
      "quote",
      "table",
      "rule",
    ]);
    expect(found[1]).toEqual({ kind: "paragraph", spans: [text("para goes on")] });
    expect(found[2]).toMatchObject({
      ordered: false,
      items: [[{ kind: "paragraph" }], [{ kind: "paragraph" }]],
    });
    expect(found[4]).toEqual({ kind: "code", text: "# no" });
    expect(found[6]).toMatchObject({
      header: [[text("a")], [text("b")]],
      rows: [[[text("1")], [text("2")]]],
    });
  });
  it("keeps HTML as text", () => {
    expect(parse("<script>alert(1)</script>")).toEqual([
      { kind: "paragraph", spans: [text("<script>alert(1)</script>")] },
    ]);
  });
  it("ends on anything", () => {
    for (const odd of [
      "```",
      ">".repeat(5_000),
      "- ".repeat(2_000),
      "[".repeat(20_000),
      "**".repeat(10_000),
      "|\n|-",
    ]) {
      const began = performance.now();
      expect(Array.isArray(parse(odd))).toBe(true);
      expect(performance.now() - began).toBeLessThan(2_000);
    }
  });
});

describe("spans", () => {
  it("nests", () => {
    expect(spans("a **b `c*d`** _e_")).toEqual([
      text("a "),
      { kind: "strong", spans: [text("b "), { kind: "code", text: "c*d" }] },
      text(" "),
      { kind: "em", spans: [text("e")] },
    ]);
  });
  it("reads links and escapes", () => {
    expect(spans("[x](y/z.md) \\*no\\*")).toMatchObject([
      { kind: "link", href: "y/z.md" },
      text(" "),
      text("*"),
      text("no"),
      text("*"),
    ]);
  });
});

describe("links", () => {
  it("lead outside by https, or to an object", () => {
    expect(target("https://example.com/x", "")).toEqual({ outside: "https://example.com/x" });
    expect(target("../b/c%20d.md#part", "a/x/")).toEqual({ path: "a/b/c d.md" });
    expect(target("/top.md", "a/")).toEqual({ path: "top.md" });
  });
  it.each([
    "javascript:alert(1)",
    "JAVASCRIPT:x",
    "data:text/html,x",
    "//evil.example",
    "#part",
    "vbscript:x",
    "..",
  ])("never lead to %s", (href) => expect(target(href, "")).toBeUndefined());
});
