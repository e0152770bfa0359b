// What pages know of the server, kept and refreshed. Commits never change and are kept for good.
import { QueryClient, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { ApiError } from "./client";
import {
  auth,
  commits,
  connectors,
  imports,
  objects,
  organizations,
  repositories,
} from "./endpoints";
import type { Commit, ImportJob, Repository } from "./types";

/** Repositories whose imports are gathered for an organization, and imports of each. */
const GATHERED_REPOSITORIES_MAX = 100;
const GATHERED_IMPORTS_EACH = 50;
/** Requests side by side while gathering. */
const GATHERED_AT_ONCE = 6;

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) => {
        const status = error instanceof ApiError ? error.status : 0;
        return failures < 2 && (status === 0 || status >= 500);
      },
    },
  },
});

export const keys = {
  me: ["me"],
  repositories: (org: string) => ["repositories", org],
  repository: (org: string, repo: string) => ["repository", org, repo],
  attached: (org: string, repo: string) => ["repository", org, repo, "connectors"],
  head: (org: string, repo: string) => ["repository", org, repo, "head"],
  log: (org: string, repo: string, path: string) => ["repository", org, repo, "log", path],
  imports: (org: string, repo: string) => ["repository", org, repo, "imports"],
  connectors: (org: string) => ["connectors", org],
  members: (org: string) => ["members", org],
  apiKeys: ["keys"],
};

/** What changes when the head of a repository moves. */
export function headMoved(org: string, repo: string): void {
  void client.invalidateQueries({ queryKey: keys.repository(org, repo) });
}

export const useMe = () =>
  useQuery({ queryKey: keys.me, queryFn: auth.me, staleTime: 60_000, retry: false });

export const useRepositories = (org: string) =>
  useQuery({ queryKey: keys.repositories(org), queryFn: () => everyRepository(org) });

async function everyRepository(org: string): Promise<Repository[]> {
  const found: Repository[] = [];
  let after: string | undefined;
  do {
    const page = await repositories.list(org, { after, amount: 1_000 });
    found.push(...page.results);
    after = page.pagination.has_more ? page.pagination.next_offset : undefined;
  } while (after && found.length < 20_000);
  return found;
}

export const useRepository = (org: string, repo: string) =>
  useQuery({ queryKey: keys.repository(org, repo), queryFn: () => repositories.get(org, repo) });

/** The latest commit; null while there is none. */
export const useHeadCommit = (org: string, repo: string) =>
  useQuery({
    queryKey: keys.head(org, repo),
    queryFn: async (): Promise<Commit | null> =>
      (await commits.log(org, repo, { amount: 1 })).results[0] ?? null,
  });

export const useCommit = (org: string, repo: string, id: string) =>
  useQuery({
    queryKey: ["commit", org, repo, id],
    queryFn: () => commits.get(org, repo, id),
    enabled: id !== "",
    staleTime: Number.POSITIVE_INFINITY,
  });

/** The commits, newest first; of one path (or prefix, which ends with a slash) if there is one. */
export const useLog = (org: string, repo: string, path = "", amount = 50) =>
  useInfiniteQuery({
    queryKey: [...keys.log(org, repo, path), amount],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => {
      const of = path === "" ? {} : path.endsWith("/") ? { prefix: path } : { object: path };
      return commits.log(org, repo, { ...of, after: pageParam, amount, signal });
    },
    getNextPageParam: ({ pagination }) =>
      pagination.has_more ? pagination.next_offset : undefined,
  });

/** How much a commit changed, from the first thousand changes. */
export const useChangeCounts = (org: string, repo: string, commit: Commit, enabled: boolean) =>
  useQuery({
    enabled,
    queryKey: ["counts", org, repo, commit.id],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const left = commit.parents[0];
      const page = await commits.diff(org, repo, {
        ...(left ? { left } : {}),
        right: commit.id,
        amount: 1_000,
        signal,
      });
      const counts = { added: 0, modified: 0, removed: 0 };
      for (const { status } of page.results) {
        if (status === "added" || status === "modified" || status === "removed")
          counts[status] += 1;
      }
      return { counts, more: page.pagination.has_more };
    },
  });

export const useEntry = (org: string, repo: string, ref: string | undefined, path: string) =>
  useQuery({
    queryKey: ["entry", org, repo, ref, path],
    enabled: ref !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const page = await objects.list({ org, repo, ref }, { prefix: path, amount: 1, signal });
      const [first] = page.results;
      return first?.path === path ? (first.entry ?? null) : null;
    },
  });

export const useConnectors = (org: string) =>
  useQuery({
    queryKey: keys.connectors(org),
    queryFn: async () => (await connectors.list(org)).results,
  });

export const useAttached = (org: string, repo: string) =>
  useQuery({
    queryKey: keys.attached(org, repo),
    queryFn: async () => (await repositories.connectors(org, repo)).results,
  });

export const useMembers = (org: string) =>
  useQuery({
    queryKey: keys.members(org),
    queryFn: async () => (await organizations.members(org)).results,
  });

export const useImports = (org: string, repo: string) =>
  useInfiniteQuery({
    queryKey: keys.imports(org, repo),
    initialPageParam: "",
    queryFn: ({ pageParam }) => imports.list(org, repo, { after: pageParam, amount: 50 }),
    getNextPageParam: ({ pagination }) =>
      pagination.has_more ? pagination.next_offset : undefined,
    refetchInterval: (query) => {
      const rows = query.state.data?.pages.flatMap((page) => page.results) ?? [];
      return rows.some((job) => job.status === "running" || job.status === "pending")
        ? 3_000
        : false;
    },
  });

export type Gathered = { repo: string; job: ImportJob };

/** The latest imports of all repositories of an organization, newest first. */
export const useAllImports = (org: string) =>
  useQuery({
    queryKey: ["imports", org],
    queryFn: async () => {
      const all = await client.fetchQuery({
        queryKey: keys.repositories(org),
        queryFn: () => everyRepository(org),
        staleTime: 30_000,
      });
      const some = all.slice(0, GATHERED_REPOSITORIES_MAX);
      const pages = await inTurn(some, async ({ name }) => {
        const { results } = await imports.list(org, name, { amount: GATHERED_IMPORTS_EACH });
        return results.map((job): Gathered => ({ repo: name, job }));
      });
      const rows = pages
        .flat()
        .sort((one, two) => two.job.created_at.localeCompare(one.job.created_at));
      return { rows, left: all.length - some.length };
    },
    refetchInterval: (query) => {
      const busy = query.state.data?.rows.some(
        ({ job }) => job.status === "running" || job.status === "pending",
      );
      return busy ? 4_000 : false;
    },
  });

/** The repositories that a connector is attached to. */
export const useUses = (org: string, id: string) =>
  useQuery({
    queryKey: ["uses", org, id],
    staleTime: 0,
    queryFn: async () => {
      const all = (await everyRepository(org)).slice(0, GATHERED_REPOSITORIES_MAX);
      const found = await inTurn(all, async ({ name }) => {
        const { results } = await repositories.connectors(org, name);
        return results.some((one) => one.id === id) ? [name] : [];
      });
      return found.flat();
    },
  });

async function inTurn<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const at = next++;
      results[at] = await work(items[at] as T);
    }
  };
  await Promise.all(Array.from({ length: GATHERED_AT_ONCE }, lane));
  return results;
}
