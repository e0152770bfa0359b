// Files and folders that are dropped onto a page.
import { useEffect, useState } from "react";
import { type Planned, pathOf } from "./plan";

/** Files that are taken from one drop. */
export const FILES_MAX = 10_000;

/** Whether files hover over the page; they go to `onFiles` when dropped. */
export function useDrop(
  active: boolean,
  folder: string,
  onFiles: (files: Planned[]) => void,
): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    if (!active) return;
    let depth = 0;
    const files = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (!files(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = () => {
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const hover = (event: DragEvent) => {
      if (files(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      if (!files(event) || !event.dataTransfer) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      void dropped(event.dataTransfer, folder).then((found) => found.length > 0 && onFiles(found));
    };
    addEventListener("dragenter", enter);
    addEventListener("dragleave", leave);
    addEventListener("dragover", hover);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragenter", enter);
      removeEventListener("dragleave", leave);
      removeEventListener("dragover", hover);
      removeEventListener("drop", drop);
      setOver(false);
    };
  }, [active, folder, onFiles]);
  return active && over;
}

/** The files of a drop, those in folders included, each with the path it gets. */
export async function dropped(data: DataTransfer, folder: string): Promise<Planned[]> {
  const entries = [...data.items]
    .map((item) => item.webkitGetAsEntry?.())
    .filter((entry) => entry !== null && entry !== undefined);
  if (entries.length === 0) return chosen(data.files, folder);
  const found: Planned[] = [];
  for (const entry of entries) await gather(entry, folder, found);
  return found;
}

/** The files of a file dialog. */
export function chosen(files: FileList, folder: string): Planned[] {
  return [...files]
    .slice(0, FILES_MAX)
    .map((file) => ({ file, path: pathOf(folder, file.webkitRelativePath || file.name) }));
}

async function gather(entry: FileSystemEntry, prefix: string, found: Planned[]): Promise<void> {
  if (found.length >= FILES_MAX) return;
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) =>
      (entry as FileSystemFileEntry).file(done, failed),
    );
    found.push({ file, path: pathOf(prefix, entry.name) });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives a hundred at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((done, failed) =>
      reader.readEntries(done, failed),
    );
    if (some.length === 0) return;
    for (const one of some) await gather(one, `${prefix}${entry.name}/`, found);
  }
}
