// A JSON value that opens and closes. What is closed is not drawn, and long lists come in pieces.
import { type ReactNode, useState } from "react";

const PIECE = 100;
const TEXT_MAX = 2_000;

export function JsonView({ value, label }: { value: unknown; label: string }) {
  return (
    <div className="preview-box" tabIndex={0} role="region" aria-label={label}>
      <div className="json">
        <Value value={value} depth={0} />
      </div>
    </div>
  );
}

function Value({
  value,
  depth,
  name,
}: {
  value: unknown;
  depth: number;
  name?: string | undefined;
}): ReactNode {
  const key = name !== undefined && (
    <>
      <span className="json-key">{name}</span>:{" "}
    </>
  );
  if (value !== null && typeof value === "object")
    return <Nested value={value} depth={depth} name={name} />;
  if (typeof value === "string") {
    return (
      <div>
        {key}
        <span className="json-text">
          {JSON.stringify(value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)}…` : value)}
        </span>
      </div>
    );
  }
  return (
    <div>
      {key}
      <span
        className={
          typeof value === "number" || typeof value === "bigint" ? "json-number" : "json-word"
        }
      >
        {String(value)}
      </span>
    </div>
  );
}

function Nested({
  value,
  depth,
  name,
}: {
  value: object;
  depth: number;
  name?: string | undefined;
}) {
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  const [open, setOpen] = useState(depth < 2 && entries.length <= PIECE);
  const [shown, setShown] = useState(PIECE);
  const noun = list ? "item" : "key";
  const what = `${entries.length} ${noun}${entries.length === 1 ? "" : "s"}`;
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {name !== undefined && (
          <>
            <span className="json-key">{name}</span>:{" "}
          </>
        )}
        {list ? "[" : "{"}
        <span className="faint">{what}</span>
        {list ? "]" : "}"}
      </summary>
      {open && (
        <div>
          {entries.slice(0, shown).map(([key, inner]) => (
            <Value key={key} value={inner} depth={depth + 1} name={list ? undefined : key} />
          ))}
          {entries.length > shown && (
            <button
              type="button"
              className="button button-plain button-small"
              onClick={() => setShown(shown + 10 * PIECE)}
            >
              {entries.length - shown} more
            </button>
          )}
        </div>
      )}
    </details>
  );
}
