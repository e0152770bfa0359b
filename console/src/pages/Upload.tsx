// Uploading files through a session: all of them in one commit, with progress.
import { useEffect, useRef, useState } from "react";
import { headMoved } from "../api/queries";
import { Dialog } from "../components/Dialog";
import { TextField } from "../components/Field";
import { Name } from "../components/Name";
import { Failure, useAction } from "../components/Note";
import { say } from "../components/Said";
import { counted, percent, size } from "../format/size";
import { below } from "../format/name";
import { FILES_MAX, chosen, dropped } from "../uploads/drop";
import { type Planned, message, objection } from "../uploads/plan";
import { upload } from "../uploads/run";

/** Files that are shown by name. */
const SHOWN_MAX = 200;

type Props = { org: string; repo: string; folder: string; files: Planned[]; onClose: () => void };

export function Upload({ org, repo, folder, files: given, onClose }: Props) {
  const [files, setFiles] = useState(given);
  const [words, setWords] = useState<string>();
  const [sent, setSent] = useState<ReadonlyMap<File, number>>(new Map());
  const stop = useRef<AbortController>(undefined);
  const said =
    words ??
    (files.length > 0
      ? message(
          "Add",
          files.map(({ path }) => path),
        )
      : "");
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  const done = [...sent.values()].reduce((sum, part) => sum + part, 0);
  const wrong = files.map(({ path }) => objection(path)).find((text) => text !== undefined);
  const action = useAction(async () => {
    stop.current = new AbortController();
    setSent(new Map());
    const progress = (file: File, part: number) =>
      setSent((before) => new Map(before).set(file, part));
    try {
      await upload({ org, repo }, files, said, progress, stop.current.signal);
    } catch (error) {
      if (stop.current.signal.aborted) throw new Error("Canceled. Nothing was changed.");
      throw error;
    }
    headMoved(org, repo);
    say(`Committed ${counted(files.length, "object")}`);
    onClose();
  });
  useEffect(() => {
    if (!action.busy) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [action.busy]);
  const close = () => {
    if (action.busy) stop.current?.abort();
    else onClose();
  };
  return (
    <Dialog title={`Upload to ${folder || repo}`} onClose={close} wide>
      {!action.busy && <Choose folder={folder} onFiles={(more) => setFiles(merged(files, more))} />}
      {files.length > 0 && (
        <>
          <FileList
            files={files}
            folder={folder}
            sent={action.busy ? sent : undefined}
            onFiles={setFiles}
          />
          {action.busy && <Bar share={percent(done, Math.max(1, bytes))} />}
          <TextField
            label="Message of the commit"
            value={said}
            onValue={setWords}
            disabled={action.busy}
          />
        </>
      )}
      <Failure error={wrong ?? action.error} />
      <div className="form-end">
        <button
          type="button"
          className="button button-main"
          disabled={action.busy || files.length === 0 || wrong !== undefined || said.trim() === ""}
          onClick={action.run}
        >
          {action.busy
            ? `Sending, ${size(done)} of ${size(bytes)}`
            : files.length > 0
              ? `Commit ${counted(files.length, "file")}, ${size(bytes)}`
              : "Commit"}
        </button>
        {action.busy && (
          <button type="button" className="button" onClick={() => stop.current?.abort()}>
            Cancel
          </button>
        )}
      </div>
    </Dialog>
  );
}

type ListProps = {
  files: Planned[];
  folder: string;
  /** How much of each is sent, once that has begun. */
  sent: ReadonlyMap<File, number> | undefined;
  onFiles: (files: Planned[]) => void;
};

function FileList({ files, folder, sent, onFiles }: ListProps) {
  return (
    <ul className="files">
      {files.slice(0, SHOWN_MAX).map(({ file, path }) => (
        <li key={path}>
          <Name className="clip" text={below(path, folder)} />
          <span className="number faint">{size(file.size)}</span>
          {sent ? (
            <span className="number">{percent(sent.get(file) ?? 0, Math.max(1, file.size))} %</span>
          ) : (
            <button
              type="button"
              className="button button-plain button-small"
              onClick={() => onFiles(files.filter((one) => one.path !== path))}
            >
              Remove
            </button>
          )}
        </li>
      ))}
      {files.length > SHOWN_MAX && (
        <li className="faint">and {counted(files.length - SHOWN_MAX, "file")} more</li>
      )}
    </ul>
  );
}

function Bar({ share }: { share: number }) {
  return (
    <div
      className="progress"
      role="progressbar"
      aria-label="Sent"
      aria-valuenow={share}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <div style={{ width: `${share}%` }} />
    </div>
  );
}

function merged(files: Planned[], more: Planned[]): Planned[] {
  const byPath = new Map(files.map((one) => [one.path, one]));
  for (const one of more) byPath.set(one.path, one);
  return [...byPath.values()].slice(0, FILES_MAX);
}

function Choose({ folder, onFiles }: { folder: string; onFiles: (files: Planned[]) => void }) {
  const [over, setOver] = useState(false);
  const one = useRef<HTMLInputElement>(null);
  const many = useRef<HTMLInputElement>(null);
  const take = (input: HTMLInputElement) => {
    if (input.files) onFiles(chosen(input.files, folder));
    input.value = "";
  };
  return (
    <div
      className="drop"
      data-over={over ? "" : undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(false);
        void dropped(event.dataTransfer, folder).then(onFiles);
      }}
    >
      <span>Drop files or folders here, or</span>
      <span className="head-actions">
        <button type="button" className="button" onClick={() => one.current?.click()}>
          Choose files
        </button>
        <button type="button" className="button" onClick={() => many.current?.click()}>
          Choose a folder
        </button>
      </span>
      <input
        ref={one}
        type="file"
        multiple
        hidden
        onChange={(event) => take(event.currentTarget)}
        aria-label="Files"
      />
      <input
        ref={many}
        type="file"
        multiple
        hidden
        {...{ webkitdirectory: "" }}
        onChange={(event) => take(event.currentTarget)}
        aria-label="Folder"
      />
    </div>
  );
}
