// A time, relative to now; the exact one on hover. All of a page tick together, every 15 seconds.
import { useSyncExternalStore } from "react";
import { ago, exact } from "../format/time";

const TICK_MS = 15_000;
const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    timer = setInterval(() => {
      now = Date.now();
      for (const one of listeners) one();
    }, TICK_MS);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

export function Ago({ time }: { time: string }) {
  const tick = useSyncExternalStore(subscribe, () => now);
  const then = Date.parse(time);
  if (Number.isNaN(then)) return <span className="faint">unknown</span>;
  const seen = Math.max(tick, Date.now());
  return (
    <time dateTime={time} title={exact(then)} className="nowrap">
      {ago(then, seen)}
    </time>
  );
}
