// Changed paths as a tree: each folder knows how much changed below it. A folder with nothing but
// one folder in it is shown together with that.

export type Change = { path: string; status: "added" | "modified" | "removed"; size: number };
export type Counts = { added: number; modified: number; removed: number };

export type Folder = {
  name: string;
  prefix: string;
  counts: Counts;
  folders: Map<string, Folder>;
  changes: Change[];
};

export type TreeRow =
  | { kind: "folder"; name: string; prefix: string; depth: number; counts: Counts; open: boolean }
  | { kind: "change"; name: string; depth: number; change: Change };

const nothing = (): Counts => ({ added: 0, modified: 0, removed: 0 });

function folder(name: string, prefix: string): Folder {
  return { name, prefix, counts: nothing(), folders: new Map(), changes: [] };
}

/** The tree of the changes, which are in the order of their paths. */
export function grown(changes: Iterable<Change>): Folder {
  const root = folder("", "");
  for (const change of changes) {
    let at = root;
    at.counts[change.status] += 1;
    const names = change.path.split("/");
    for (const name of names.slice(0, -1)) {
      let next = at.folders.get(name);
      if (!next) {
        next = folder(name, `${at.prefix}${name}/`);
        at.folders.set(name, next);
      }
      at = next;
      at.counts[change.status] += 1;
    }
    at.changes.push(change);
  }
  return root;
}

/** The rows to show; what is in a folder only if `isOpen` says so. */
export function rows(root: Folder, isOpen: (folder: Folder) => boolean): TreeRow[] {
  const found: TreeRow[] = [];
  walk(root, 0, isOpen, found);
  return found;
}

function walk(
  parent: Folder,
  depth: number,
  isOpen: (folder: Folder) => boolean,
  found: TreeRow[],
): void {
  for (const child of parent.folders.values()) {
    let [at, name] = [child, `${child.name}/`];
    while (at.folders.size === 1 && at.changes.length === 0) {
      at = [...at.folders.values()][0] as Folder;
      name += `${at.name}/`;
    }
    const open = isOpen(at);
    found.push({ kind: "folder", name, prefix: at.prefix, depth, counts: at.counts, open });
    if (open) walk(at, depth + 1, isOpen, found);
  }
  for (const change of parent.changes) {
    found.push({ kind: "change", name: change.path.slice(parent.prefix.length), depth, change });
  }
}

/** The sum of what changed. */
export function total(counts: Counts): number {
  return counts.added + counts.modified + counts.removed;
}
