// Everything by keyboard: single keys move through what is on the page. They can be turned off,
// for who dictates or presses keys by accident.
import { useEffect } from "react";
import { navigate } from "../routing/history";
import { url } from "../routing/route";

const KEPT = "tilde.single-keys";
/** Time after `g` in which the second key counts. */
const SECOND_KEY_MS = 1_200;

export const singleKeys = {
  on: () => localStorage.getItem(KEPT) !== "off",
  set: (on: boolean) => localStorage.setItem(KEPT, on ? "on" : "off"),
};

export const HELP: [keys: string[], what: string][] = [
  [["/"], "go to the filter"],
  [["j"], "next row"],
  [["k"], "row before"],
  [["Enter"], "open the row"],
  [["u"], "up one folder"],
  [["g", "r"], "repositories"],
  [["g", "c"], "connectors"],
  [["g", "i"], "imports"],
  [["g", "m"], "members"],
  [["g", "k"], "keys"],
  [["?"], "this help"],
  [["Esc"], "leave a field, close what is open"],
];

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

function move(step: 1 | -1): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  if (rows.length === 0) return false;
  const inside = document.activeElement?.closest(".row, tr, li, article");
  let at = rows.findIndex(
    (row) => row === document.activeElement || (inside?.contains(row) ?? false),
  );
  if (at < 0) at = step > 0 ? firstInView(rows) - 1 : 1;
  const next = rows[Math.max(0, Math.min(rows.length - 1, at + step))];
  next?.focus({ preventScroll: true });
  next?.closest(".row, tr, li, article")?.scrollIntoView({ block: "nearest" });
  return true;
}

function firstInView(rows: HTMLElement[]): number {
  const at = rows.findIndex((row) => {
    const top = row.closest(".rows-box")?.getBoundingClientRect().top ?? 0;
    return row.getBoundingClientRect().top >= Math.max(0, top);
  });
  return Math.max(0, at);
}

function go(key: string, org: string): boolean {
  const places: Record<string, (org: string) => string> = {
    r: url.organization,
    c: url.connectors,
    i: url.allImports,
    m: url.members,
    k: url.keys,
  };
  const place = places[key];
  if (!place || org === "") return false;
  navigate(place(org));
  return true;
}

/** Listens on the whole page. */
export function useShortcuts(org: string, showHelp: () => void): void {
  useEffect(() => {
    let second = 0;
    const pressed = (event: KeyboardEvent) => {
      const busy =
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        typing(event.target) ||
        document.querySelector("dialog[open]");
      if (busy || !singleKeys.on()) return;
      const after = Date.now() < second;
      second = 0;
      if (act(event.key, after)) event.preventDefault();
    };
    const act = (key: string, after: boolean): boolean => {
      if (after) return go(key, org);
      switch (key) {
        case "/": {
          const filter = document.querySelector<HTMLInputElement>("main [data-filter]");
          filter?.focus();
          filter?.select();
          return filter !== null;
        }
        case "j":
          return move(1);
        case "k":
          return move(-1);
        case "u": {
          const up = document.querySelector<HTMLElement>("main [data-up]");
          up?.click();
          return up !== null;
        }
        case "g":
          second = Date.now() + SECOND_KEY_MS;
          return true;
        case "?":
          showHelp();
          return true;
        default:
          return false;
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [org, showHelp]);
}
