// The parts of the form of an import: from where, to where, and how.
import { useMe, useRepositories } from "../api/queries";
import { AreaField, CheckField, Choice, SelectField, TextField } from "../components/Field";
import { Note } from "../components/Note";
import { Link } from "../routing/Link";
import { url } from "../routing/route";
import type { Fields } from "./importForm";

export type Set = <K extends keyof Fields>(name: K) => (value: Fields[K]) => void;
type SourceProps = {
  org: string;
  repo: string;
  fields: Fields;
  set: Set;
  options: [string, string][];
  isAttached: boolean;
};

export function Source({ org, repo, fields, set, options, isAttached }: SourceProps) {
  return (
    <>
      <Choice
        legend="From"
        value={fields.from}
        onValue={set("from")}
        options={[
          {
            value: "connector",
            label: "A connector",
            help: "Objects are copied into this server.",
          },
          {
            value: "repository",
            label: "A repository",
            help: "Bytes are shared, nothing is copied.",
          },
        ]}
      />
      {fields.from === "connector" && options.length === 0 && (
        <Note
          tone="warn"
          actions={
            <Link className="button button-small" to={url.connectorNew(org)}>
              New connector
            </Link>
          }
        >
          This organization has no connector that can be used.
        </Note>
      )}
      {fields.from === "connector" && options.length > 0 && (
        <SelectField
          label="Connector"
          value={fields.connector}
          onValue={set("connector")}
          options={options}
          help={
            isAttached ? undefined : "Not attached to this repository yet; starting attaches it."
          }
        />
      )}
      {fields.from === "repository" && (
        <RepositoryField
          org={org}
          repo={repo}
          value={fields.repository}
          onValue={set("repository")}
        />
      )}
      <TextField
        label="Only below"
        mono
        optional
        value={fields.prefix}
        onValue={set("prefix")}
        placeholder="2024/"
        help={
          fields.from === "connector"
            ? "A prefix of the keys. Absolute if it starts with the connector's own prefix, else below it."
            : "A prefix of the repository's paths."
        }
      />
    </>
  );
}

function RepositoryField({
  org,
  repo,
  value,
  onValue,
}: {
  org: string;
  repo: string;
  value: string;
  onValue: (value: string) => void;
}) {
  const me = useMe();
  const [from = org] = value.split("/");
  const all = useRepositories(from || org);
  const options = (all.data ?? [])
    .filter((one) => from !== org || one.name !== repo)
    .map((one): [string, string] => [`${from || org}/${one.name}`, one.name]);
  return (
    <div className="form-row">
      <SelectField
        label="Organization"
        value={from || org}
        onValue={(name) => onValue(`${name}/`)}
        options={(me.data?.organizations ?? []).map((one) => [one.name, one.display_name])}
      />
      <SelectField
        label="Repository"
        value={value.endsWith("/") ? "" : value}
        onValue={onValue}
        options={[["", "Choose…"], ...options]}
      />
    </div>
  );
}

type Part = { fields: Fields; set: Set };

/** Where the objects go, and what becomes of what is there. */
export function Placing({ fields, set }: Part) {
  return (
    <>
      <TextField
        label="Destination"
        mono
        optional
        value={fields.destination}
        onValue={set("destination")}
        placeholder="imported/"
        help="A folder of this repository. Empty for its root."
      />
      <TextField
        label="Message of the commit"
        optional
        value={fields.message}
        onValue={set("message")}
        help="Names the source if left empty."
      />
      <Choice
        legend="What is at the destination already"
        value={fields.mode}
        onValue={set("mode")}
        options={[
          { value: "overlay", label: "Overlay", help: "Keep what the source does not have." },
          { value: "mirror", label: "Mirror", help: "Delete what the source does not have." },
        ]}
      />
      {fields.mode === "mirror" && (
        <TextField
          label="Percentage that may be deleted"
          type="number"
          min={0}
          max={100}
          optional
          value={fields.deletions}
          onValue={set("deletions")}
          placeholder="25"
          help="If more would go, the import fails and changes nothing."
        />
      )}
    </>
  );
}

/** Which objects, and how they are read. */
export function Reading({ fields, set }: Part) {
  return (
    <details>
      <summary>Filters and how to read</summary>
      <div className="form" style={{ paddingTop: 12 }}>
        <div className="form-row">
          <AreaField
            label="Include"
            mono
            optional
            value={fields.include}
            onValue={set("include")}
            placeholder={"**/*.csv"}
            help="Globs over the path below the destination, one a line. None: all."
          />
          <AreaField
            label="Exclude"
            mono
            optional
            value={fields.exclude}
            onValue={set("exclude")}
            placeholder={"tmp/**"}
            help="Wins over include."
          />
        </div>
        {fields.from === "connector" && (
          <CheckField
            label="Import by version"
            help="The latest version of each key, and its id with it. S3 only."
            checked={fields.versioning}
            onValue={set("versioning")}
          />
        )}
        <CheckField
          label="Leave out what cannot be read"
          help="Such objects are named in the job. Otherwise one fails the import."
          checked={fields.skip}
          onValue={set("skip")}
        />
        <TextField
          label="Objects read at once"
          type="number"
          min={1}
          max={256}
          optional
          value={fields.concurrency}
          onValue={set("concurrency")}
          help="The server's own setting if empty."
        />
      </div>
    </details>
  );
}
