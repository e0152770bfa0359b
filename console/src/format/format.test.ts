// Sizes, times and names as they are shown.
import { describe, expect, it } from "vitest";
import { ancestors, pieces, plain } from "./name";
import { count, percent, signedSize, size } from "./size";
import { ago, clock, duration } from "./time";

describe("sizes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [13_200_000_000, "13.2 GB"],
    [999_950, "1.0 MB"],
    [148_000_000, "148 MB"],
    [99_960, "100 kB"],
  ])("%d", (bytes, text) => expect(size(bytes)).toBe(text));
  it("signs changes", () => {
    expect(signedSize(1200)).toBe("+1.2 kB");
    expect(signedSize(-300)).toBe("−300 B");
    expect(signedSize(0)).toBe("±0 B");
  });
  it("groups counts", () => expect(count(1234567)).toBe("1,234,567"));
  it("is 100 percent only at the end", () => {
    expect(percent(999, 1000)).toBe(99);
    expect(percent(999_999, 1_000_000)).toBe(99);
    expect(percent(1000, 1000)).toBe(100);
    expect(percent(0, 0)).toBe(0);
  });
});

describe("times", () => {
  const now = Date.UTC(2026, 2, 12, 12);
  it.each([
    [2_000, "just now"],
    [54_000, "54 s ago"],
    [3_599_000, "59 min ago"],
    [7_200_000, "2 h ago"],
    [90_000_000, "yesterday"],
    [-5_000, "just now"],
  ])("%d ms ago", (ms, text) => expect(ago(now - ms, now)).toBe(text));
  it("reads as a clock", () => {
    expect(clock(35)).toBe("0:35");
    expect(clock(3_851)).toBe("1:04:11");
  });
  it("tells durations", () => {
    expect(duration(4_200)).toBe("4.2 s");
    expect(duration(9_990)).toBe("10 s");
    expect(duration(724_000)).toBe("12 min 4 s");
  });
});

describe("names", () => {
  it("shows what turns text around", () => {
    expect(plain("a\u202egnp.exe")).toBe("a⟨U+202E⟩gnp.exe");
    expect(plain("new\nline")).toBe("new⟨\\n⟩line");
    expect(plain("zero\u200bwidth\ufeff")).toBe("zero⟨U+200B⟩width⟨U+FEFF⟩");
  });
  it("shows spaces at the ends and in a row", () => {
    expect(plain(" a b ")).toBe("⟨SP⟩a b⟨SP⟩");
    expect(plain("a  b")).toBe("a⟨SP⟩⟨SP⟩b");
  });
  it("leaves ordinary text alone", () => {
    expect(pieces("日本語 – ü <script>")).toEqual([{ text: "日本語 – ü <script>" }]);
  });
  it("lists the folders above", () => {
    expect(ancestors("a//b")).toEqual([
      { name: "a", prefix: "a/" },
      { name: "", prefix: "a//" },
    ]);
    expect(ancestors("a/b/").map((one) => one.prefix)).toEqual(["a/", "a/b/"]);
  });
});
