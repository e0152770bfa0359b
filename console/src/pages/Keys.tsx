// The API keys of who is signed in. A new one is shown once.
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { auth } from "../api/endpoints";
import { client, keys } from "../api/queries";
import type { ApiKey, ApiKeyCreated } from "../api/types";
import { useKey } from "../app/lines";
import { Ago } from "../components/Ago";
import { copy } from "../components/Copy";
import { Confirm, Dialog } from "../components/Dialog";
import { TextField } from "../components/Field";
import { Head, useTitle } from "../components/Head";
import { Lesson, Ways } from "../components/Lesson";
import { Name } from "../components/Name";
import { Failure, Waiting, useAction } from "../components/Note";
import { Status } from "../components/Status";

export function Keys() {
  useTitle("API keys");
  const found = useQuery({
    queryKey: keys.apiKeys,
    queryFn: async () => (await auth.keys()).results,
  });
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<ApiKey>();
  const rows = found.data ?? [];
  return (
    <>
      <Head
        title="API keys"
        sub="Yours. A key may do what you may, in every organization of yours."
        actions={
          <button type="button" className="button button-main" onClick={() => setMaking(true)}>
            New key
          </button>
        }
      />
      {making && <Make onClose={() => setMaking(false)} />}
      {ending && <Revoke apiKey={ending} onClose={() => setEnding(undefined)} />}
      {found.isPending && <Waiting />}
      <Failure error={found.error} again={() => void found.refetch()} />
      {found.data && rows.length === 0 && (
        <Lesson title="No key yet" ways={useKey(location.origin, "tuk-...")}>
          <p>
            Programs sign in with a key. The command line can also get one by itself: tilde auth
            login.
          </p>
        </Lesson>
      )}
      {rows.length > 0 && (
        <table className="stack-small">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Ends in</th>
              <th scope="col">Made</th>
              <th scope="col">Last used</th>
              <th scope="col">
                <span className="unseen">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <tr key={one.id}>
                <td>
                  <b>
                    <Name text={one.name} />
                  </b>
                  {one.description && (
                    <div className="faint">
                      <Name text={one.description} />
                    </div>
                  )}
                </td>
                <td className="mono" data-label="ends in">
                  …{one.token_hint}
                </td>
                <td data-label="made">
                  <Ago time={one.created_at} />
                </td>
                <td data-label="last used">
                  {one.last_used_at ? (
                    <Ago time={one.last_used_at} />
                  ) : (
                    <span className="faint">never</span>
                  )}
                </td>
                <td className="number">
                  {one.revoked_at ? (
                    <Status state="canceled">revoked</Status>
                  ) : (
                    <button
                      type="button"
                      className="button button-plain button-small"
                      onClick={() => setEnding(one)}
                      aria-label={`Revoke ${one.name}`}
                    >
                      Revoke
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function Make({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [made, setMade] = useState<ApiKeyCreated>();
  const action = useAction(async () => {
    setMade(await auth.createKey({ name, ...(description ? { description } : {}) }));
    void client.invalidateQueries({ queryKey: keys.apiKeys });
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  if (made) {
    return (
      <Dialog title={`The key ${made.name}`} onClose={onClose} wide>
        <p>This is the only time it is shown. Keep it where your secrets are.</p>
        <div className="secret">{made.token}</div>
        <div>
          <button
            type="button"
            className="button button-main"
            onClick={() => void copy(made.token, "the key")}
          >
            Copy the key
          </button>
        </div>
        <h3>Use it</h3>
        <Ways ways={useKey(location.origin, made.token)} />
      </Dialog>
    );
  }
  return (
    <Dialog title="New API key" onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <TextField
          label="Name"
          value={name}
          onValue={setName}
          help="What will use it, e.g. nightly-import."
          autoFocus
        />
        <TextField label="Description" optional value={description} onValue={setDescription} />
        <Failure error={action.error} />
        <div className="form-end">
          <button className="button button-main" disabled={action.busy}>
            Make the key
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Revoke({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const action = useAction(async () => {
    await auth.revokeKey(apiKey.id);
    void client.invalidateQueries({ queryKey: keys.apiKeys });
    onClose();
  });
  return (
    <Confirm
      title={`Revoke the key ${apiKey.name}`}
      action="Revoke"
      busy={action.busy}
      onConfirm={action.run}
      onClose={onClose}
    >
      <p className="soft">
        What uses it is refused from the next request on. This cannot be undone.
      </p>
      <Failure error={action.error} />
    </Confirm>
  );
}
