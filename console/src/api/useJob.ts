// An import as it runs: its state from the server-sent events, and its speed since the page is open.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { imports } from "./endpoints";
import { client, headMoved } from "./queries";
import type { ImportJob } from "./types";

/** Samples of the speed that are kept: half an hour at two a second. */
const SAMPLES_MAX = 3_600;
const AGAIN_MS = 3_000;

export type Sample = { time: number; rate: number };

export function ended(job: ImportJob): boolean {
  return job.status === "completed" || job.status === "failed" || job.status === "canceled";
}

export function useJob(org: string, repo: string, id: string) {
  const key = ["job", org, repo, id];
  const job = useQuery({
    queryKey: key,
    queryFn: () => imports.get(org, repo, id),
    staleTime: 1_000,
  });
  const [samples, setSamples] = useState<Sample[]>([]);
  const [live, setLive] = useState(false);
  const running = job.data !== undefined && !ended(job.data);
  useEffect(() => {
    if (!running) return;
    let source: EventSource;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const take = (text: string) => {
      const next = JSON.parse(text) as ImportJob;
      client.setQueryData(key, next);
      const sample = {
        time: Date.now(),
        rate: next.phase === "waiting" ? 0 : next.bytes_per_second,
      };
      if (next.phase !== "ended")
        setSamples((before) => [...before.slice(1 - SAMPLES_MAX), sample]);
      return next;
    };
    const open = () => {
      source = new EventSource(imports.events(org, repo, id));
      source.onopen = () => setLive(true);
      source.addEventListener("progress", (event) => take((event as MessageEvent<string>).data));
      source.addEventListener("end", (event) => {
        source.close();
        const last = take((event as MessageEvent<string>).data);
        if (last.commit_id) headMoved(org, repo);
        void client.invalidateQueries({ queryKey: ["imports", org] });
      });
      // Both the server's "error" event and a broken connection: ask the job itself, then watch anew.
      source.addEventListener("error", () => {
        source.close();
        setLive(false);
        void client.invalidateQueries({ queryKey: key });
        timer = setTimeout(open, AGAIN_MS);
      });
    };
    open();
    return () => {
      clearTimeout(timer);
      source.close();
    };
  }, [org, repo, id, running]);
  return { job, samples, live: live && running };
}
