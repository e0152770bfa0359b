// The left column: which organization, what of it, and who is here.
import { useState } from "react";
import { auth } from "../api/endpoints";
import { client } from "../api/queries";
import type { Me } from "../api/types";
import { Mark } from "../components/Mark";
import { Menu } from "../components/Menu";
import { Link } from "../routing/Link";
import { type Route, url } from "../routing/route";
import { NewOrganization } from "../pages/NewOrganization";
import { type Theme, setTheme, useTheme } from "./theme";

type Props = { me: Me; org: string; route: Route; open: boolean; onHelp: () => void };

const REPOSITORY_PAGES: Route["page"][] = [
  "repositories",
  "tree",
  "object",
  "commits",
  "commit",
  "compare",
  "imports",
  "importNew",
  "import",
  "settings",
];

export function Sidebar({ me, org, route, open, onHelp }: Props) {
  const [making, setMaking] = useState(false);
  const current = me.organizations.find((one) => one.name === org);
  return (
    <aside className="side" data-open={open ? "" : undefined}>
      <Link to="/" className="side-mark">
        <Mark />
        Tilde
      </Link>
      <Menu
        className="switcher"
        name="Organization"
        label={<span className="clip">{current?.display_name ?? (org || "No organization")}</span>}
      >
        {me.organizations.map((one) => (
          <Link
            key={one.id}
            to={url.organization(one.name)}
            aria-current={one.name === org ? "true" : undefined}
          >
            {one.display_name} <span className="faint">{one.name}</span>
          </Link>
        ))}
        {me.organizations.length > 0 && <hr />}
        <button type="button" onClick={() => setMaking(true)}>
          New organization…
        </button>
      </Menu>
      {making && <NewOrganization onClose={() => setMaking(false)} />}
      {org ? <Places org={org} route={route} /> : <nav aria-label="Main" />}
      <Foot me={me} onHelp={onHelp} />
    </aside>
  );
}

function Places({ org, route }: { org: string; route: Route }) {
  const here = (...pages: Route["page"][]) =>
    pages.includes(route.page) ? ("page" as const) : undefined;
  return (
    <nav aria-label="Main">
      <Link
        className="side-link"
        to={url.organization(org)}
        aria-current={here(...REPOSITORY_PAGES)}
      >
        Repositories
      </Link>
      <Link
        className="side-link"
        to={url.connectors(org)}
        aria-current={here("connectors", "connector", "connectorNew")}
      >
        Connectors
      </Link>
      <Link className="side-link" to={url.allImports(org)} aria-current={here("allImports")}>
        Imports
      </Link>
      <div className="side-gap" />
      <Link className="side-link" to={url.members(org)} aria-current={here("members")}>
        Members
      </Link>
      <Link className="side-link" to={url.keys(org)} aria-current={here("keys")}>
        Keys
      </Link>
      <Link className="side-link" to={url.audit(org)} aria-current={here("audit")}>
        Audit log
      </Link>
    </nav>
  );
}

const THEMES: [Theme, string][] = [
  ["auto", "Auto"],
  ["light", "Light"],
  ["dark", "Dark"],
];

function Foot({ me, onHelp }: { me: Me; onHelp: () => void }) {
  const theme = useTheme();
  const leave = () => {
    void auth
      .logout()
      .catch(() => undefined)
      .then(() => {
        client.clear();
        location.assign("/login");
      });
  };
  return (
    <div className="side-foot">
      <div className="switch" role="group" aria-label="Colours">
        {THEMES.map(([value, label]) => (
          <button
            key={value}
            type="button"
            aria-pressed={theme === value}
            onClick={() => setTheme(value)}
          >
            {label}
          </button>
        ))}
      </div>
      <div className="side-foot-row">
        <Link to="/account" className="side-user" title="Your account">
          {me.user.username}
        </Link>
        <span className="nowrap">
          <button type="button" className="button button-plain button-small" onClick={onHelp}>
            Help
          </button>
          <button type="button" className="button button-plain button-small" onClick={leave}>
            Sign out
          </button>
        </span>
      </div>
    </div>
  );
}
