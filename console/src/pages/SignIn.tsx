// Signing in, on whatever address was asked for; afterwards that page is there.
import { type FormEvent, useState } from "react";
import { ApiError } from "../api/client";
import { auth } from "../api/endpoints";
import { client, keys } from "../api/queries";
import { useTitle } from "../components/Head";
import { TextField } from "../components/Field";
import { Mark } from "../components/Mark";
import { Failure, useAction } from "../components/Note";

export function SignIn() {
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  useTitle("Sign in");
  const action = useAction(async () => {
    await auth.login(login, password);
    await client.resetQueries({ queryKey: keys.me });
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  const refused = action.error instanceof ApiError && action.error.status === 401;
  return (
    <main className="gate">
      <div className="gate-box">
        <div className="gate-mark">
          <Mark />
        </div>
        <h1>Sign in to Tilde</h1>
        <form className="form" onSubmit={submit}>
          <TextField
            label="Username or email"
            name="username"
            value={login}
            onValue={setLogin}
            autoComplete="username"
            autoCapitalize="none"
            autoFocus
          />
          <TextField
            label="Password"
            name="password"
            type="password"
            value={password}
            onValue={setPassword}
            autoComplete="current-password"
          />
          {refused ? (
            <Failure error="This name and password do not go together. Try again, or ask who runs this server." />
          ) : (
            <Failure error={action.error} />
          )}
          <button className="button button-main" disabled={action.busy}>
            {action.busy ? "Signing in…" : "Sign in"}
          </button>
        </form>
        <p className="faint">
          The first user is <code>admin</code>. Who runs the server sets passwords:{" "}
          <code>tilde admin user password NAME --password-stdin</code>. From a terminal,{" "}
          <code>tilde auth login</code> leads here.
        </p>
      </div>
    </main>
  );
}
