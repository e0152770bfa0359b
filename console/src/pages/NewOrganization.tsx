// Creating an organization.
import { type FormEvent, useState } from "react";
import { organizations } from "../api/endpoints";
import { client, keys } from "../api/queries";
import { Dialog } from "../components/Dialog";
import { TextField } from "../components/Field";
import { Failure, useAction } from "../components/Note";
import { navigate } from "../routing/history";
import { url } from "../routing/route";

/** What may stand in an address for a name that was typed. */
export function slug(name: string): string {
  return name
    .toLowerCase()
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63);
}

export function OrganizationForm({ onDone }: { onDone?: () => void }) {
  const [display, setDisplay] = useState("");
  const [typed, setTyped] = useState<string>();
  const name = typed ?? slug(display);
  const action = useAction(async () => {
    await organizations.create(name, display || name);
    await client.invalidateQueries({ queryKey: keys.me });
    onDone?.();
    navigate(url.organization(name));
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <TextField label="Name" value={display} onValue={setDisplay} autoFocus />
      <TextField
        label="Name in addresses"
        mono
        value={name}
        onValue={setTyped}
        pattern="[a-z0-9][a-z0-9\-]{1,62}"
        help="2 to 63 lower-case letters, digits and hyphens. It cannot be changed later."
      />
      <Failure error={action.error} />
      <div className="form-end">
        <button className="button button-main" disabled={action.busy}>
          Create the organization
        </button>
      </div>
    </form>
  );
}

export function NewOrganization({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="New organization" onClose={onClose}>
      <p className="soft">
        An organization owns repositories and connectors. Its members see all of them; nobody else
        does.
      </p>
      <OrganizationForm onDone={onClose} />
    </Dialog>
  );
}
