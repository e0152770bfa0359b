// What a preview is decided by.
import { describe, expect, it } from "vitest";
import { decode, hexLines, kind, pictureType } from "./kind";

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

describe("kinds", () => {
  it.each([
    ["a.csv", "", "csv"],
    ["a", "text/csv; charset=utf-8", "csv"],
    ["a.geojson", "", "json"],
    ["x.PNG", "", "picture"],
    ["a.svg", "image/svg+xml", "text"],
    ["a.html", "text/html", "text"],
    ["a", "application/ld+json", "json"],
    ["a.parquet", "binary/octet-stream", "parquet"],
    ["a.png.html", "text/html", "text"],
  ])("%s of type %s is %s", (path, type, expected) => expect(kind(path, type)).toBe(expected));
});

describe("pictures", () => {
  it("are known by their bytes", () => {
    expect(pictureType(bytes("\x89PNG\r\n\x1a\n...."))).toBe("image/png");
    expect(pictureType(bytes("\xff\xd8\xff\xe0"))).toBe("image/jpeg");
    expect(pictureType(bytes("RIFF....WEBPVP8 "))).toBe("image/webp");
    expect(pictureType(bytes("\0\0\0\x1cftypavif"))).toBe("image/avif");
  });
  it.each([
    "<svg xmlns='http://www.w3.org/2000/svg'>",
    "<html>",
    "",
    "GIF88a",
    "RIFF....WAVE",
    "%PDF-1.7",
  ])("are not %j", (text) => expect(pictureType(bytes(text))).toBeUndefined());
});

describe("text", () => {
  it("may be cut inside a character", () => {
    const whole = new TextEncoder().encode("日本");
    expect(decode(whole.slice(0, 4), true)).toBe("日");
    expect(decode(whole.slice(0, 4), false)).toBeUndefined();
  });
  it("is not any bytes", () => {
    expect(decode(bytes("\x80\x81"), false)).toBeUndefined();
    expect(decode(bytes("a\0b"), false)).toBeUndefined();
  });
  it("is shown as numbers otherwise", () => {
    expect(hexLines(bytes("AB\0"))).toBe(
      "000000  41 42 00                                         AB·",
    );
  });
});
