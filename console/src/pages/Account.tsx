// Who is signed in: name and password.
import { type FormEvent, useState } from "react";
import { auth } from "../api/endpoints";
import { client, keys } from "../api/queries";
import type { Me } from "../api/types";
import { Ago } from "../components/Ago";
import { TextField } from "../components/Field";
import { Head, useTitle } from "../components/Head";
import { Name } from "../components/Name";
import { Failure, useAction } from "../components/Note";
import { say } from "../components/Said";
import { Keys } from "./Keys";

export function Account({ me }: { me: Me }) {
  useTitle("Your account");
  const { user } = me;
  return (
    <div className="page-narrow section">
      <Head title="Your account" />
      <dl className="facts">
        <dt>Username</dt>
        <dd>
          <Name text={user.username} />
        </dd>
        <dt>Email</dt>
        <dd>{user.email ? <Name text={user.email} /> : <span className="faint">none</span>}</dd>
        <dt>Since</dt>
        <dd>
          <Ago time={user.created_at} />
        </dd>
      </dl>
      <div className="columns">
        <Profile me={me} />
        <Password me={me} />
      </div>
      {me.organizations.length === 0 && <Keys />}
    </div>
  );
}

function Profile({ me }: { me: Me }) {
  const [name, setName] = useState(me.user.full_name);
  const action = useAction(async () => {
    await auth.update({ full_name: name });
    await client.invalidateQueries({ queryKey: keys.me });
    say("Your name is changed");
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <h2>Name</h2>
      <TextField
        label="Full name"
        value={name}
        onValue={setName}
        autoComplete="name"
        help="Commits carry it."
      />
      <Failure error={action.error} />
      <div className="form-end">
        <button className="button" disabled={action.busy}>
          Change the name
        </button>
      </div>
    </form>
  );
}

function Password({ me }: { me: Me }) {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const action = useAction(async () => {
    await auth.password({
      new_password: next,
      ...(me.has_password ? { current_password: current } : {}),
    });
    setCurrent("");
    setNext("");
    say("Your password is changed");
    void client.invalidateQueries({ queryKey: keys.me });
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <h2>Password</h2>
      <input type="text" autoComplete="username" value={me.user.username} readOnly hidden />
      {me.has_password && (
        <TextField
          label="Current password"
          type="password"
          autoComplete="current-password"
          value={current}
          onValue={setCurrent}
        />
      )}
      <TextField
        label="New password"
        type="password"
        autoComplete="new-password"
        minLength={8}
        value={next}
        onValue={setNext}
        help="8 characters or more. A few words nobody would put together are best."
      />
      <Failure error={action.error} />
      <div className="form-end">
        <button className="button" disabled={action.busy}>
          {me.has_password ? "Change the password" : "Set a password"}
        </button>
      </div>
    </form>
  );
}
