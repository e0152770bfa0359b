// How large an object was before and after a change. The comparison names one of the two; the
// other is asked for when its row is in view.
import { useQuery } from "@tanstack/react-query";
import { objects } from "../api/endpoints";
import type { Change } from "../diff/tree";

export function useSizes(
  org: string,
  repo: string,
  left: string,
  change: Change,
): { left: number; right: number } | undefined {
  const before = useQuery({
    queryKey: ["size", org, repo, left, change.path],
    enabled: change.status === "modified",
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () => objects.head({ org, repo, ref: left }, change.path),
  });
  if (change.status === "added") return { left: 0, right: change.size };
  if (change.status === "removed") return { left: change.size, right: 0 };
  return before.data ? { left: before.data.size, right: change.size } : undefined;
}
