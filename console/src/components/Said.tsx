// One line that says what just happened, e.g. that something was copied, and is gone soon after.
import { useSyncExternalStore } from "react";

const SHOWN_MS = 2_500;
let words = "";
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

export function say(text: string): void {
  words = text;
  clearTimeout(timer);
  if (text) timer = setTimeout(() => say(""), SHOWN_MS);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Said() {
  const text = useSyncExternalStore(subscribe, () => words);
  return (
    <div className="said" role="status" aria-live="polite">
      {text}
    </div>
  );
}
