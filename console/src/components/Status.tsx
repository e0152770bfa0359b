// The state of a job by word and shape; colour only repeats it.
import type { ReactNode } from "react";
import { count } from "../format/size";

const STATES: Record<string, { mark: string; tone: string }> = {
  pending: { mark: "○", tone: "quiet" },
  running: { mark: "◐", tone: "quiet" },
  completed: { mark: "✓", tone: "good" },
  failed: { mark: "✕", tone: "bad" },
  canceled: { mark: "–", tone: "warn" },
  disabled: { mark: "‖", tone: "warn" },
};

export function Status({ state, children }: { state: string; children?: ReactNode }) {
  const { mark, tone } = STATES[state] ?? { mark: "·", tone: "quiet" };
  return (
    <span className={`status status-${tone}`}>
      <span className="status-mark" aria-hidden="true">
        {mark}
      </span>
      {children ?? state}
    </span>
  );
}

type Counts = { added: number; modified: number; removed: number };

/** `+3 ~1 −0`: added, changed and removed objects. */
export function ChangeCounts({ counts, more }: { counts: Counts; more?: boolean }) {
  // Of what was not counted to its end, what was not met may still come.
  const number = (value: number) =>
    more ? (value === 0 ? "?" : `${count(value)}+`) : count(value);
  const text = `${number(counts.added)} added, ${number(counts.modified)} changed, ${number(counts.removed)} removed`;
  return (
    <span className="counts" title={text}>
      <span className="unseen">{text}</span>
      <span aria-hidden="true" className={counts.added ? "plus" : "zero"}>
        +{number(counts.added)}
      </span>
      <span aria-hidden="true" className={counts.modified ? "tilde" : "zero"}>
        ~{number(counts.modified)}
      </span>
      <span aria-hidden="true" className={counts.removed ? "minus" : "zero"}>
        −{number(counts.removed)}
      </span>
    </span>
  );
}

const CHANGES: Record<string, { mark: string; tone: string }> = {
  added: { mark: "+", tone: "plus" },
  modified: { mark: "~", tone: "tilde" },
  removed: { mark: "−", tone: "minus" },
};

export function ChangeMark({ status }: { status: string }) {
  const { mark, tone } = CHANGES[status] ?? { mark: "·", tone: "zero" };
  return (
    <span className={`mono ${tone}`} title={status}>
      <span aria-hidden="true">{mark}</span>
      <span className="unseen">{status}</span>
    </span>
  );
}
