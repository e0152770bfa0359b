// Lines to paste hold names that do nothing.
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { python, read, shell } from "./lines";

const hostile = [
  "a b",
  "$(reboot)",
  "it's",
  "`x`",
  "a\nb",
  "\u202egnp",
  "日本",
  "😀",
  "\\",
  'a"b',
  "!x",
  "tab\t",
];

it.each(hostile)("quotes %j for a shell", (name) => {
  const out = execFileSync("bash", ["-c", `printf %s ${shell(name)}`], {
    env: { LC_ALL: "C.UTF-8" },
  });
  expect(out.toString()).toBe(name);
  expect(shell(name)).toMatch(/^[\x20-\x7e]+$/);
});

it.each(hostile)("writes %j in Python", (name) => {
  const out = execFileSync("python3", [
    "-c",
    `import sys; sys.stdout.buffer.write(${python(name)}.encode())`,
  ]);
  expect(out.toString()).toBe(name);
});

it("leaves no quote of a path open", () => {
  expect(read("http://x", "o", "r", undefined, "it's&ref=1").curl).toContain(
    "path=it%27s%26ref%3D1'",
  );
});
