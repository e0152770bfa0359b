// Copying to the clipboard: a small button beside what it copies, and ids that are shown short and
// copied whole.
import { short } from "../format/name";
import { say } from "./Said";

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS there is no clipboard API; the selection still works.
    const area = document.createElement("textarea");
    area.value = text;
    const host = document.querySelector("dialog[open]") ?? document.body;
    host.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`Copied ${what}`);
}

export function Copy({ text, what }: { text: string; what: string }) {
  return (
    <button
      type="button"
      className="copy"
      onClick={() => void copy(text, what)}
      title={`Copy ${what}`}
      aria-label={`Copy ${what}`}
    >
      <svg
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.4"
        aria-hidden="true"
      >
        <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
        <path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5" />
      </svg>
    </button>
  );
}

export function Id({ id, what }: { id: string; what: string }) {
  return (
    <span className="nowrap">
      <span className="id" title={id}>
        {short(id)}
      </span>{" "}
      <Copy text={id} what={what} />
    </span>
  );
}
