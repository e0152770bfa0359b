// What a dry run found: what the import would add, change and remove.
import { imports } from "../api/endpoints";
import { PAGE_ROWS } from "../api/listing";
import type { ImportJob, PlannedChange } from "../api/types";
import { useListing } from "../api/useListing";
import { Name } from "../components/Name";
import { Failure } from "../components/Note";
import { Rows } from "../components/Rows";
import { ChangeMark } from "../components/Status";
import { size } from "../format/size";
import { Link } from "../routing/Link";
import { url } from "../routing/route";
import { PreviewTable } from "./PreviewTable";
import { settings } from "./jobs";

export function DryRun({ org, repo, job }: { org: string; repo: string; job: ImportJob }) {
  const preview = job.preview;
  const { listing, state, want } = useListing<PlannedChange>(job.id, (after, signal) =>
    imports.changes(org, repo, job.id, { after, amount: PAGE_ROWS, signal }),
  );
  if (!preview) return null;
  return (
    <section className="section" aria-label="What would change">
      <div className="section-head">
        <h2>What the import would do</h2>
        <Link className="button button-main" to={url.importNew(org, repo, settings(job))}>
          Import it
        </Link>
      </div>
      <PreviewTable preview={preview} />
      <Failure error={state.error} again={() => listing.again()} />
      {state.count > 0 && (
        <Rows
          label="Planned changes"
          grid="grid-changes"
          className="rows-home"
          count={state.count}
          complete={state.complete}
          onRange={want}
          header={
            <>
              <span role="columnheader">
                <span className="unseen">Change</span>
              </span>
              <span role="columnheader">Path</span>
              <span role="columnheader" className="number">
                Size
              </span>
            </>
          }
          row={(index) => {
            const change = listing.row(index);
            if (!change)
              return (
                <>
                  <span />
                  <span className="row-wait" role="cell">
                    …
                  </span>
                </>
              );
            return (
              <>
                <span role="cell">
                  <ChangeMark status={change.status} />
                </span>
                <span role="cell" className="clip mono" title={change.path}>
                  <Name text={change.path} />
                </span>
                <span role="cell" className="number">
                  {size(change.size)}
                </span>
              </>
            );
          }}
        />
      )}
    </section>
  );
}
