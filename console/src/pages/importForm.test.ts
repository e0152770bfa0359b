// The form of an import asks for what its fields say, and for nothing else.
import { expect, it } from "vitest";
import { fromQuery, request } from "./importForm";

it("asks for no more than was chosen", () => {
  expect(request({ ...fromQuery(""), connector: "c-1" }, false)).toEqual({
    connector_id: "c-1",
    destination_path: "",
  });
});

it("runs again with the same settings", () => {
  const query = new URLSearchParams({
    connector: "c-1",
    prefix: "a/",
    destination: "b/",
    message: "again",
    versioning: "1",
    mode: "mirror",
    deletions: "0",
    include: "**/*.csv\n",
    exclude: "tmp/**\n\nx",
    on_error: "skip",
    concurrency: "4",
  });
  expect(request(fromQuery(query.toString()), true)).toEqual({
    connector_id: "c-1",
    source_prefix: "a/",
    destination_path: "b/",
    commit_message: "again",
    use_versioning: true,
    mode: "mirror",
    max_delete_percent: 0,
    include: ["**/*.csv"],
    exclude: ["tmp/**", "x"],
    on_error: "skip",
    concurrency: 4,
    dry_run: true,
  });
});

it("imports from a repository", () => {
  const fields = fromQuery("?repository=team%2Fdata&versioning=1");
  expect(request(fields, false)).toEqual({
    source_organization: "team",
    source_repository: "data",
    destination_path: "",
  });
});
