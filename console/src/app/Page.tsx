// Which page a route is. What the first visit does not need is loaded when it is opened.
import { lazy } from "react";
import type { Me } from "../api/types";
import { Head } from "../components/Head";
import { Note } from "../components/Note";
import { Link } from "../routing/Link";
import type { Route } from "../routing/route";
import { Repositories } from "../pages/Repositories";
import { Tree } from "../pages/Tree";

const Account = lazy(() =>
  import("../pages/Account").then(({ Account }) => ({ default: Account })),
);
const Audit = lazy(() => import("../pages/Audit").then(({ Audit }) => ({ default: Audit })));
const CommitPage = lazy(() =>
  import("../pages/CommitPage").then(({ CommitPage }) => ({ default: CommitPage })),
);
const Commits = lazy(() =>
  import("../pages/Commits").then(({ Commits }) => ({ default: Commits })),
);
const Compare = lazy(() =>
  import("../pages/Compare").then(({ Compare }) => ({ default: Compare })),
);
const ConnectorPage = lazy(() =>
  import("../pages/ConnectorPage").then(({ ConnectorPage }) => ({ default: ConnectorPage })),
);
const Connectors = lazy(() =>
  import("../pages/Connectors").then(({ Connectors }) => ({ default: Connectors })),
);
const AllImports = lazy(() =>
  import("../pages/AllImports").then(({ AllImports }) => ({ default: AllImports })),
);
const ImportPage = lazy(() =>
  import("../pages/ImportPage").then(({ ImportPage }) => ({ default: ImportPage })),
);
const Imports = lazy(() =>
  import("../pages/Imports").then(({ Imports }) => ({ default: Imports })),
);
const Keys = lazy(() => import("../pages/Keys").then(({ Keys }) => ({ default: Keys })));
const Members = lazy(() =>
  import("../pages/Members").then(({ Members }) => ({ default: Members })),
);
const NewConnector = lazy(() =>
  import("../pages/NewConnector").then(({ NewConnector }) => ({ default: NewConnector })),
);
const NewImport = lazy(() =>
  import("../pages/NewImport").then(({ NewImport }) => ({ default: NewImport })),
);
const ObjectPage = lazy(() =>
  import("../pages/ObjectPage").then(({ ObjectPage }) => ({ default: ObjectPage })),
);
const Settings = lazy(() =>
  import("../pages/Settings").then(({ Settings }) => ({ default: Settings })),
);

export function Page({ route, me }: { route: Route; me: Me }) {
  switch (route.page) {
    case "repositories":
      return <Repositories org={route.org} />;
    case "connectors":
      return <Connectors org={route.org} />;
    case "connectorNew":
      return <NewConnector org={route.org} />;
    case "connector":
      return <ConnectorPage org={route.org} id={route.id} />;
    case "allImports":
      return <AllImports org={route.org} />;
    case "members":
      return <Members org={route.org} me={me} />;
    case "keys":
      return <Keys />;
    case "audit":
      return <Audit org={route.org} />;
    case "account":
      return <Account me={me} />;
    case "tree":
      return <Tree {...route} />;
    case "object":
      return <ObjectPage {...route} />;
    case "commits":
      return <Commits {...route} />;
    case "commit":
      return <CommitPage {...route} />;
    case "compare":
      return <Compare {...route} />;
    case "imports":
      return <Imports {...route} />;
    case "importNew":
      return <NewImport {...route} />;
    case "import":
      return <ImportPage {...route} />;
    case "settings":
      return <Settings {...route} />;
    case "home":
    case "login":
    case "device":
      return null;
    case "unknown":
      return (
        <>
          <Head title="There is no such page" />
          <Note>
            The address leads nowhere. <Link to="/">Go to the repositories</Link>.
          </Note>
        </>
      );
  }
}
