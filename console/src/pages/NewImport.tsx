// Starting an import: from where, to where, how; and a look at the source before.
import { type FormEvent, useMemo, useState } from "react";
import { imports, repositories } from "../api/endpoints";
import { client, keys, useAttached, useConnectors } from "../api/queries";
import { RepositoryHead, useTitle } from "../components/Head";
import { Failure, Note, Waiting, useAction } from "../components/Note";
import { plain } from "../format/name";
import { navigate } from "../routing/history";
import { url } from "../routing/route";
import { type Fields, fromQuery, request } from "./importForm";
import { Placing, Reading, Source } from "./importParts";
import { Look } from "./Look";

export function NewImport({ org, repo }: { org: string; repo: string }) {
  useTitle(`Import into ${repo}`);
  const [fields, setFields] = useState(() => fromQuery(location.search));
  const [look, setLook] = useState<string>();
  const connectors = useConnectors(org);
  const attached = useAttached(org, repo);
  // The same form sent twice starts one import.
  const idempotency = useMemo(
    () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
    [fields],
  );
  const set =
    <K extends keyof Fields>(name: K) =>
    (value: Fields[K]) =>
      setFields({ ...fields, [name]: value });
  const usable = connectors.data?.filter((one) => !one.disabled) ?? [];
  const connector =
    fields.connector || (attached.data?.find((one) => !one.disabled) ?? usable[0])?.id || "";
  const isAttached = attached.data?.some((one) => one.id === connector) ?? false;
  const filled = { ...fields, connector };
  const start = async (dryRun: boolean) => {
    if (filled.from === "connector" && !isAttached) {
      await repositories.attach(org, repo, connector);
      void client.invalidateQueries({ queryKey: keys.attached(org, repo) });
    }
    const key = dryRun ? `look-${idempotency}` : idempotency;
    return (await imports.start(org, repo, request(filled, dryRun), key)).job_id;
  };
  const action = useAction(async () => {
    const job = await start(false);
    void client.invalidateQueries({ queryKey: keys.imports(org, repo) });
    navigate(url.import(org, repo, job));
  });
  const looking = useAction(async () => setLook(await start(true)));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.run();
  };
  const ready = filled.from === "connector" ? connector !== "" : filled.repository !== "";
  return (
    <>
      <RepositoryHead org={org} repo={repo} tab="imports" />
      {connectors.isPending ? (
        <Waiting />
      ) : (
        <div className="columns">
          <form className="form" onSubmit={submit}>
            <h2>New import</h2>
            <Source
              {...{ org, repo, fields: filled, set }}
              options={usable.map((one) => [
                one.id,
                `${plain(one.name)}  ${plain(one.display_source)}`,
              ])}
              isAttached={isAttached}
            />
            <Placing fields={fields} set={set} />
            <Reading fields={fields} set={set} />
            <Failure error={action.error ?? looking.error} />
            <div className="form-end">
              <button className="button button-main" disabled={action.busy || !ready}>
                {action.busy ? "Starting…" : "Start the import"}
              </button>
              <button
                type="button"
                className="button"
                disabled={looking.busy || !ready}
                onClick={looking.run}
              >
                Look first (dry run)
              </button>
            </div>
          </form>
          <section className="section" aria-label="The source">
            {look ? (
              <Look key={look} org={org} repo={repo} id={look} />
            ) : (
              <Note title="Look before you copy">
                A dry run lists the source and compares it with this repository: how many objects
                and bytes, the first keys, and what would be added, replaced or deleted. No object
                is read and nothing is changed.
              </Note>
            )}
          </section>
        </div>
      )}
    </>
  );
}
