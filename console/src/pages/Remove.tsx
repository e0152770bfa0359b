// Deleting what was selected, through a session: one commit without it.
import { useEffect, useState } from "react";
import { objects } from "../api/endpoints";
import { headMoved } from "../api/queries";
import { Confirm } from "../components/Dialog";
import { TextField } from "../components/Field";
import { Name } from "../components/Name";
import { Failure, Waiting, useAction } from "../components/Note";
import { say } from "../components/Said";
import { count, counted } from "../format/size";
import { message } from "../uploads/plan";
import { remove } from "../uploads/run";

/** Objects that one deletion from here may have. */
const OBJECTS_MAX = 20_000;
const NAMED = 8;

type Props = {
  org: string;
  repo: string;
  commit: string;
  chosen: string[];
  onClose: () => void;
  onDone: () => void;
};

export function Remove({ org, repo, commit, chosen, onClose, onDone }: Props) {
  const [paths, setPaths] = useState<string[]>();
  const [error, setError] = useState<unknown>();
  const [words, setWords] = useState<string>();
  useEffect(() => {
    let gone = false;
    objectsIn({ org, repo, ref: commit }, chosen).then(
      (found) => !gone && setPaths(found),
      (failed) => !gone && setError(failed),
    );
    return () => {
      gone = true;
    };
    // What was selected when the dialog opened.
  }, []);
  const said = words ?? message("Delete", paths ?? chosen);
  const action = useAction(async () => {
    await remove({ org, repo }, paths ?? [], said);
    headMoved(org, repo);
    say(`Deleted ${counted(paths?.length ?? 0, "object")}`);
    onDone();
  });
  return (
    <Confirm
      title="Delete from the repository"
      action={`Delete ${paths ? counted(paths.length, "object") : ""}`}
      busy={action.busy}
      disabled={!paths || said.trim() === ""}
      onConfirm={action.run}
      onClose={onClose}
    >
      {!paths && !error && <Waiting what="Looking what is in the folders" />}
      {paths && (
        <>
          <ul className="mono">
            {paths.slice(0, NAMED).map((path) => (
              <li key={path}>
                <Name text={path} />
              </li>
            ))}
            {paths.length > NAMED && (
              <li className="faint">and {count(paths.length - NAMED)} more</li>
            )}
          </ul>
          <p className="soft">
            This makes a new commit without them. Earlier commits keep them, and the commit can be
            reverted.
          </p>
          <TextField label="Message" value={said} onValue={setWords} />
        </>
      )}
      <Failure error={error ?? action.error} />
    </Confirm>
  );
}

async function objectsIn(
  where: { org: string; repo: string; ref: string },
  chosen: string[],
): Promise<string[]> {
  const found: string[] = [];
  for (const path of chosen) {
    if (!path.endsWith("/")) {
      found.push(path);
      continue;
    }
    let after: string | undefined;
    do {
      const page = await objects.list(where, { prefix: path, after, amount: 1_000 });
      found.push(...page.results.map((entry) => entry.path));
      if (found.length > OBJECTS_MAX)
        throw new Error(
          `These are more than ${count(OBJECTS_MAX)} objects. Delete them with the API or the command line, or import with mode mirror.`,
        );
      after = page.pagination.has_more ? page.pagination.next_offset : undefined;
    } while (after);
  }
  return found;
}
