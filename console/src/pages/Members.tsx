// Who belongs to the organization.
import { type FormEvent, useState } from "react";
import { organizations } from "../api/endpoints";
import { client, keys, useMembers } from "../api/queries";
import type { Me, Membership } from "../api/types";
import { Ago } from "../components/Ago";
import { Confirm, Dialog } from "../components/Dialog";
import { TextField } from "../components/Field";
import { Head, useTitle } from "../components/Head";
import { Name } from "../components/Name";
import { Failure, Waiting, useAction } from "../components/Note";

export function Members({ org, me }: { org: string; me: Me }) {
  useTitle(`Members of ${org}`);
  const found = useMembers(org);
  const [adding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<Membership>();
  const owner =
    found.data?.some((one) => one.user_id === me.user.id && one.role === "owner") ?? false;
  return (
    <>
      <Head
        title="Members"
        sub="All of them see every repository. Owners also manage connectors and members."
        actions={
          owner && (
            <button type="button" className="button button-main" onClick={() => setAdding(true)}>
              Add a member
            </button>
          )
        }
      />
      {adding && <Add org={org} onClose={() => setAdding(false)} />}
      {leaving && <Remove org={org} member={leaving} onClose={() => setLeaving(undefined)} />}
      {found.isPending && <Waiting />}
      <Failure error={found.error} again={() => void found.refetch()} />
      {found.data && (
        <table className="stack-small">
          <thead>
            <tr>
              <th scope="col">User</th>
              <th scope="col">Name</th>
              <th scope="col">Email</th>
              <th scope="col">Role</th>
              <th scope="col">Since</th>
              <th scope="col">
                <span className="unseen">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {found.data.map((one) => (
              <tr key={one.user_id}>
                <td>
                  <b>
                    <Name text={one.username} />
                  </b>
                  {one.user_id === me.user.id && <span className="faint"> you</span>}
                </td>
                <td>{one.full_name && <Name text={one.full_name} />}</td>
                <td>{one.email && <Name text={one.email} />}</td>
                <td>{one.role}</td>
                <td data-label="since">
                  <Ago time={one.joined_at} />
                </td>
                <td className="number">
                  {owner && (
                    <button
                      type="button"
                      className="button button-plain button-small"
                      onClick={() => setLeaving(one)}
                      aria-label={`Remove ${one.username}`}
                    >
                      Remove
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

function Add({ org, onClose }: { org: string; onClose: () => void }) {
  const [username, setUsername] = useState("");
  const action = useAction(async () => {
    await organizations.addMember(org, username.trim());
    void client.invalidateQueries({ queryKey: keys.members(org) });
    onClose();
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  return (
    <Dialog title="Add a member" onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <TextField
          label="Username"
          mono
          value={username}
          onValue={setUsername}
          help="Of a user of this server. Its operator makes new ones: tilde admin user add NAME."
          autoFocus
        />
        <Failure error={action.error} />
        <div className="form-end">
          <button className="button button-main" disabled={action.busy}>
            Add
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Remove({
  org,
  member,
  onClose,
}: {
  org: string;
  member: Membership;
  onClose: () => void;
}) {
  const action = useAction(async () => {
    await organizations.removeMember(org, member.user_id);
    void client.invalidateQueries({ queryKey: keys.members(org) });
    onClose();
  });
  return (
    <Confirm
      title={`Remove ${member.username}`}
      action="Remove"
      busy={action.busy}
      onConfirm={action.run}
      onClose={onClose}
    >
      <p className="soft">
        They no longer see anything of this organization. What they did stays in the history.
      </p>
      <Failure error={action.error} />
    </Confirm>
  );
}
