// What is here when there is nothing yet: how to begin.
import { Head, useTitle } from "../components/Head";
import { Lesson } from "../components/Lesson";
import { firstSteps } from "../app/lines";
import { OrganizationForm } from "./NewOrganization";

export function FirstVisit() {
  useTitle("Welcome");
  return (
    <>
      <Head
        title="Nothing here yet"
        sub="Tilde copies what lies in a bucket into its own storage, as one commit, and remembers where each object came from."
      />
      <div className="columns">
        <section className="section">
          <h2>Begin with an organization</h2>
          <p className="soft">
            It owns repositories and connectors. You can invite others into it later.
          </p>
          <OrganizationForm />
        </section>
        <Lesson title="Or from a terminal" ways={firstSteps(location.origin)} />
      </div>
    </>
  );
}
