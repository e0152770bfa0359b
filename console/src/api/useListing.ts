// A long listing as React sees it.
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { Listing } from "./listing";
import type { Paged } from "./types";

type Fetch<T> = (after: string | undefined, signal: AbortSignal) => Promise<Paged<T>>;

/**
 * A listing that begins anew when `wanted` changes, which stands for all that the function depends
 * on. Until its first rows are here, those of the one before stay; `key` says whose are shown.
 */
export function useListing<T>(wanted: string, fetchPage: Fetch<T>) {
  const listing = useMemo(() => new Listing<T>(fetchPage), [wanted]);
  const state = useSyncExternalStore(listing.subscribe, listing.snapshot);
  const before = useRef<{ listing: Listing<T>; key: string }>(undefined);
  useEffect(() => {
    listing.want(0, 0);
    return () => listing.close();
  }, [listing]);
  const want = useMemo(() => (first: number, last: number) => listing.want(first, last), [listing]);
  const here = state.count > 0 || state.complete || state.error !== undefined;
  useEffect(() => {
    if (here) before.current = { listing, key: wanted };
  }, [here, listing, wanted]);
  const last = before.current;
  if (!here && last)
    return { listing: last.listing, state: last.listing.snapshot(), want: nothing, key: last.key };
  return { listing, state, want, key: wanted };
}

function nothing(): void {}
