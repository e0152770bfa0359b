// Letting a command line in: it shows a code, and whoever is signed in here confirms it.
import { type FormEvent, useState } from "react";
import { ApiError } from "../api/client";
import { auth } from "../api/endpoints";
import type { Me } from "../api/types";
import { useTitle } from "../components/Head";
import { TextField } from "../components/Field";
import { Mark } from "../components/Mark";
import { Failure, Note, useAction } from "../components/Note";
import { Name } from "../components/Name";

export function Device({ me }: { me: Me }) {
  useTitle("Let a command line in");
  const query = new URLSearchParams(location.search);
  const given = query.get("user_code") ?? query.get("code") ?? "";
  const [code, setCode] = useState(given);
  const [done, setDone] = useState(false);
  const action = useAction(async () => {
    await auth.confirmDevice(code.trim());
    setDone(true);
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  const unknown = action.error instanceof ApiError && action.error.status === 404;
  return (
    <main className="gate">
      <div className="gate-box">
        <div className="gate-mark">
          <Mark />
        </div>
        <h1>Let a command line in</h1>
        {done ? (
          <Note tone="good" title="The command line is signed in.">
            You can close this page and go back to the terminal.
          </Note>
        ) : (
          <form className="form" onSubmit={submit}>
            <p className="soft">
              A terminal asks to act as{" "}
              <b>
                <Name text={me.user.username} />
              </b>
              . Confirm only if it shows this code, and if you have just started{" "}
              <code>tilde auth login</code> yourself.
            </p>
            {given ? (
              <div className="code" aria-label="Code">
                <Name text={given} />
              </div>
            ) : (
              <TextField
                label="Code"
                mono
                value={code}
                onValue={setCode}
                help="As the terminal shows it, e.g. BCDF-GHJK."
                autoFocus
              />
            )}
            {unknown ? (
              <Failure error="No terminal waits with this code. It may have expired: start tilde auth login again." />
            ) : (
              <Failure error={action.error} />
            )}
            <button className="button button-main" disabled={action.busy || code.trim() === ""}>
              {action.busy ? "One moment…" : `Confirm, as ${me.user.username}`}
            </button>
          </form>
        )}
        <a href="/">Go to the console</a>
      </div>
    </main>
  );
}
