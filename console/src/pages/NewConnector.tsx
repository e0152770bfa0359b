// Making a connector: where the source is, with which credentials, and whether that works.
import { type FormEvent, useState } from "react";
import { connectors } from "../api/endpoints";
import { client, keys } from "../api/queries";
import { Choice, TextField } from "../components/Field";
import { Head, useTitle } from "../components/Head";
import { Failure, useAction } from "../components/Note";
import { navigate } from "../routing/history";
import { url } from "../routing/route";
import { ConfigFields, KINDS, TestResult, kindSpec, trimmed, useTest } from "./connectorForm";

export function NewConnector({ org }: { org: string }) {
  useTitle("New connector");
  const [kind, setKind] = useState("s3");
  const [name, setName] = useState("");
  const [uri, setUri] = useState("");
  const [config, setConfig] = useState<Record<string, string>>({});
  const spec = kindSpec(kind) ?? KINDS[0];
  const body = { type: kind, source_uri: uri.trim(), config: trimmed(config) };
  const test = useTest(() => connectors.testConfig(org, body));
  const action = useAction(async () => {
    const made = await connectors.create(org, { name: name.trim(), ...body });
    void client.invalidateQueries({ queryKey: keys.connectors(org) });
    navigate(url.connector(org, made.id));
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  if (!spec) return null;
  return (
    <div className="page-narrow section">
      <Head
        title="New connector"
        sub="It reaches a source with credentials of its own, and only reads."
      />
      <form className="form" onSubmit={submit}>
        <Choice
          legend="Kind"
          value={kind}
          onValue={(value) => {
            setKind(value);
            setConfig({});
            test.forget();
            test.reset();
          }}
          options={KINDS.map((one) => ({ value: one.kind, label: one.label, help: one.about }))}
        />
        <div className="form-row">
          <TextField
            label="Name"
            value={name}
            onValue={setName}
            placeholder="production-s3"
            help="Unique in the organization."
          />
          <TextField
            label="Location"
            mono
            value={uri}
            onValue={setUri}
            placeholder={spec.uri}
            help={spec.uriHelp}
          />
        </div>
        <ConfigFields spec={spec} config={config} onConfig={setConfig} />
        <TestResult test={test} />
        <Failure error={action.error} />
        <div className="form-end">
          <button className="button button-main" disabled={action.busy}>
            Create the connector
          </button>
          <button
            type="button"
            className="button"
            disabled={test.busy || uri.trim() === ""}
            onClick={test.run}
          >
            {test.busy ? "Testing…" : "Test the connection"}
          </button>
        </div>
      </form>
    </div>
  );
}
