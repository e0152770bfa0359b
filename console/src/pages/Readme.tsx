// The README of a folder, below its objects.
import { useQuery } from "@tanstack/react-query";
import { objects } from "../api/endpoints";
import { Name } from "../components/Name";
import { Markdown } from "../markdown/Markdown";
import { Link } from "../routing/Link";
import { url } from "../routing/route";

/** Bytes of a README that are shown. */
const BYTES_MAX = 256 * 1024;
const NAMES = ["README.md", "readme.md", "Readme.md", "README.txt", "README"];

type Props = { org: string; repo: string; at: string; commit: string; folder: string };

export function Readme({ org, repo, at, commit, folder }: Props) {
  const where = { org, repo, ref: commit };
  const found = useQuery({
    queryKey: ["readme", org, repo, commit, folder],
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
    queryFn: async ({ signal }) => {
      for (const start of ["README", "readme", "Readme"]) {
        const page = await objects.list(where, {
          prefix: folder + start,
          delimiter: "/",
          amount: 20,
          signal,
        });
        const entry = page.results.find(
          ({ path, type }) => type === "object" && NAMES.includes(path.slice(folder.length)),
        );
        if (!entry?.entry) continue;
        if (entry.entry.size === 0) return null;
        const bytes = await objects.bytes(where, entry.path, 0, BYTES_MAX, signal);
        return {
          path: entry.path,
          text: new TextDecoder().decode(bytes),
          cut: entry.entry.size > BYTES_MAX,
        };
      }
      return null;
    },
  });
  if (!found.data) return null;
  const { path, text, cut } = found.data;
  return (
    <section className="readme" aria-label="README">
      <div className="readme-head">
        <Link to={url.object(org, repo, at, path)}>
          <Name text={path.slice(folder.length)} />
        </Link>
      </div>
      {path.endsWith(".md") ? (
        <Markdown
          text={text}
          folder={folder}
          objectUrl={(to) =>
            to.endsWith("/") ? url.tree(org, repo, at, to) : url.object(org, repo, at, to)
          }
        />
      ) : (
        <div className="prose">
          <pre>{text}</pre>
        </div>
      )}
      {cut && <div className="prose faint">Only the beginning is shown.</div>}
    </section>
  );
}
