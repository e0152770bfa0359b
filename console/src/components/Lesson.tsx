// Teaching how to go on: the same step with curl, Python and the command line, ready to paste.
import { type ReactNode, useState } from "react";
import { copy } from "./Copy";

export function Snippet({ text, what = "the command" }: { text: string; what?: string }) {
  return (
    <div className="snippet">
      <pre tabIndex={0}>{text}</pre>
      <button type="button" className="button button-small" onClick={() => void copy(text, what)}>
        Copy
      </button>
    </div>
  );
}

export type Way = "curl" | "Python" | "CLI";
const KEPT = "tilde.way";

function kept(): Way {
  const value = localStorage.getItem(KEPT);
  return value === "Python" || value === "CLI" ? value : "curl";
}

export function Ways({ ways }: { ways: Partial<Record<Way, string>> }) {
  const [chosen, choose] = useState<Way>(kept);
  const names = Object.keys(ways) as Way[];
  const shown = names.includes(chosen) ? chosen : (names[0] ?? "curl");
  return (
    <>
      <div className="tabs" role="tablist" aria-label="How">
        {names.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={name === shown}
            onClick={() => {
              localStorage.setItem(KEPT, name);
              choose(name);
            }}
          >
            {name}
          </button>
        ))}
      </div>
      <Snippet text={ways[shown] ?? ""} />
    </>
  );
}

/** An empty state: what would be here, and how it comes here. */
export function Lesson({
  title,
  children,
  ways,
  actions,
}: {
  title: string;
  children?: ReactNode;
  ways?: Partial<Record<Way, string>>;
  actions?: ReactNode;
}) {
  return (
    <section className="lesson">
      <h2>{title}</h2>
      {children}
      {actions && <div className="head-actions">{actions}</div>}
      {ways && <Ways ways={ways} />}
    </section>
  );
}
