// The frame around every page: who is here, which page the address means, and what is on every one.
import { Suspense, lazy, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { ApiError, onSignedOut } from "../api/client";
import { client, keys, useMe } from "../api/queries";
import type { Me } from "../api/types";
import { Mark } from "../components/Mark";
import { Failure, Waiting } from "../components/Note";
import { Said } from "../components/Said";
import { useShortcuts } from "../keyboard/shortcuts";
import { FirstVisit } from "../pages/FirstVisit";
import { SignIn } from "../pages/SignIn";
import { Link } from "../routing/Link";
import { navigate, useAddress } from "../routing/history";
import { type Route, parse, url } from "../routing/route";
import { Boundary } from "./Boundary";
import { Help } from "./Help";
import { Page } from "./Page";
import { Sidebar } from "./Sidebar";

const Device = lazy(() => import("../pages/Device").then(({ Device }) => ({ default: Device })));
const KEPT = "tilde.organization";

onSignedOut(() => void client.resetQueries({ queryKey: keys.me }));

export function App() {
  const address = useAddress();
  const route = useMemo(() => parse(...split(address)), [address]);
  const me = useMe();
  if (me.isPending)
    return (
      <div className="gate">
        <Waiting />
      </div>
    );
  if (me.error instanceof ApiError && me.error.status === 401)
    return (
      <>
        <SignIn />
        <Said />
      </>
    );
  if (!me.data)
    return (
      <div className="gate">
        <Failure error={me.error} again={() => void me.refetch()} />
      </div>
    );
  if (route.page === "device")
    return (
      <Suspense fallback={<Waiting />}>
        <Device me={me.data} />
      </Suspense>
    );
  return <Frame me={me.data} route={route} address={address} />;
}

function split(address: string): [string, string] {
  const at = address.indexOf("?");
  return at < 0 ? [address, ""] : [address.slice(0, at), address.slice(at)];
}

function Frame({ me, route, address }: { me: Me; route: Route; address: string }) {
  const [help, setHelp] = useState(false);
  const [open, setOpen] = useState(false);
  const org = organization(me, route);
  const showHelp = useCallback(() => setHelp(true), []);
  useShortcuts(org, showHelp);
  useEffect(() => setOpen(false), [address]);
  useEffect(() => {
    if (org) localStorage.setItem(KEPT, org);
    if ((route.page === "home" || route.page === "login") && org)
      navigate(url.organization(org), { replace: true });
  }, [org, route.page]);
  const path = address.split("?")[0] ?? "";
  const main = useArrival(path);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="bar">
        <Link to="/" className="side-mark">
          <Mark />
          Tilde
        </Link>
        <button
          type="button"
          className="button button-small"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          Menu
        </button>
      </header>
      <Sidebar me={me} org={org} route={route} open={open} onHelp={showHelp} />
      <main id="main" className="page" tabIndex={-1} ref={main}>
        <Boundary key={route.page === "compare" ? `${org} ${route.repo} compare` : path}>
          {org === "" && (route.page === "home" || route.page === "login") ? (
            <FirstVisit />
          ) : (
            <Suspense fallback={<Waiting />}>
              <Page route={route} me={me} />
            </Suspense>
          )}
        </Boundary>
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
      <Said />
    </div>
  );
}

/** The organization that a page belongs to, or the one of last time. */
function organization(me: Me, route: Route): string {
  if ("org" in route) return route.org;
  const kept = localStorage.getItem(KEPT) ?? "";
  const known = me.organizations.some((one) => one.name === kept);
  return known ? kept : (me.organizations[0]?.name ?? "");
}

/** Moves the focus to the content when another page opens, as loading it would. */
function useArrival(path: string) {
  const main = useRef<HTMLElement>(null);
  const before = useRef(path);
  useEffect(() => {
    if (before.current !== path) main.current?.focus({ preventScroll: true });
    before.current = path;
  }, [path]);
  return main;
}
