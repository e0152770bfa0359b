// What a page says instead of, or beside, its content: errors, waiting, notices.
import { type ReactNode, useState } from "react";
import { ApiError } from "../api/client";
import { Copy } from "./Copy";

type Tone = "bad" | "warn" | "good";

export function Note({
  tone,
  title,
  children,
  actions,
}: {
  tone?: Tone;
  title?: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div
      className={tone ? `note note-${tone}` : "note"}
      role={tone === "bad" ? "alert" : undefined}
    >
      {title && <div className="note-title">{title}</div>}
      {children && <div>{children}</div>}
      {actions && <div className="note-actions">{actions}</div>}
    </div>
  );
}

/** An error: what happened and what to do, and the number under which the server's log has it. */
export function Failure({
  error,
  title,
  again,
}: {
  error: unknown;
  title?: string;
  again?: () => void;
}) {
  if (!error) return null;
  const text = error instanceof Error ? error.message : String(error);
  const id = error instanceof ApiError ? error.requestId : "";
  return (
    <Note
      tone="bad"
      title={title}
      actions={
        (again || id) && (
          <>
            {again && (
              <button type="button" className="button button-small" onClick={again}>
                Try again
              </button>
            )}
            {id && (
              <span className="faint">
                request <span className="id">{id}</span>{" "}
                <Copy text={`${text} (request ${id})`} what="the error" />
              </span>
            )}
          </>
        )
      }
    >
      {text}
    </Note>
  );
}

export function Waiting({ what = "Loading" }: { what?: string }) {
  return (
    <div className="waiting" role="status">
      {what}…
    </div>
  );
}

type Mutation = { busy: boolean; error: unknown; run: () => void; reset: () => void };

/** Something that is asked of the server once, e.g. by a button. */
export function useAction(work: () => Promise<unknown>): Mutation {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const run = () => {
    setBusy(true);
    setError(undefined);
    work()
      .catch(setError)
      .finally(() => setBusy(false));
  };
  return { busy, error, run, reset: () => setError(undefined) };
}
