// Light, dark, or what the system says; kept in this browser.
import { useSyncExternalStore } from "react";

export type Theme = "auto" | "light" | "dark";
const KEPT = "tilde.theme";
const listeners = new Set<() => void>();

function kept(): Theme {
  const value = localStorage.getItem(KEPT);
  return value === "light" || value === "dark" ? value : "auto";
}

export function applyTheme(): void {
  const theme = kept();
  if (theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

export function setTheme(theme: Theme): void {
  localStorage.setItem(KEPT, theme);
  applyTheme();
  for (const listener of listeners) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, kept);
}
