// A long listing, page by page: rows are fetched as they come into view, and pages far from it are
// let go and fetched again when needed. So a million rows cost what is looked at.
import type { Paged } from "./types";

export const PAGE_ROWS = 1_000;
/** Pages whose rows are kept. */
const PAGES_KEPT = 40;

type Page<T> = {
  after: string | undefined;
  start: number;
  length: number;
  rows: T[] | undefined;
  used: number;
};
type Fetch<T> = (after: string | undefined, signal: AbortSignal) => Promise<Paged<T>>;
export type State = {
  count: number;
  complete: boolean;
  loading: boolean;
  error: unknown;
  version: number;
};

export class Listing<T> {
  private pages: Page<T>[] = [];
  private next: string | undefined;
  private complete = false;
  private error: unknown;
  private readonly busy = new Set<number>();
  private readonly listeners = new Set<() => void>();
  private readonly abort = new AbortController();
  private ticks = 0;
  private state: State = { count: 0, complete: false, loading: true, error: undefined, version: 0 };

  constructor(private readonly fetchPage: Fetch<T>) {}

  /** For `useSyncExternalStore`. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly snapshot = (): State => this.state;

  /** The row, if it is here. */
  row(index: number): T | undefined {
    const page = this.pages[this.pageOf(index)];
    return page?.rows?.[index - page.start];
  }

  /** Sees to it that these rows are, or will be, here, and the page after them. */
  want(first: number, last: number): void {
    if (this.error) return;
    this.ticks += 1;
    const begin = Math.max(0, this.pageOf(first));
    for (let at = begin; at <= this.pageOf(last) && at < this.pages.length; at += 1) {
      const page = this.pages[at] as Page<T>;
      page.used = this.ticks;
      if (!page.rows) void this.load(at, page.after);
    }
    if (!this.complete && last >= this.count() - PAGE_ROWS / 2)
      void this.load(this.pages.length, this.next);
  }

  /** Asks again after an error. */
  again(): void {
    this.error = undefined;
    this.want(0, 0);
    this.tell();
  }

  /** Everything that is here, in order. */
  rows(): T[] {
    return this.pages.flatMap((page) => page.rows ?? []);
  }

  close(): void {
    this.abort.abort();
    this.listeners.clear();
  }

  private count(): number {
    const last = this.pages.at(-1);
    return last ? last.start + last.length : 0;
  }

  private pageOf(index: number): number {
    let [low, high] = [0, this.pages.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.pages[middle]?.start ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return high;
  }

  private async load(at: number, after: string | undefined): Promise<void> {
    if (this.busy.has(at)) return;
    this.busy.add(at);
    this.tell();
    try {
      const { results, pagination } = await this.fetchPage(after, this.abort.signal);
      const known = this.pages[at];
      if (known) known.rows = results;
      else this.append(after, results, pagination.has_more ? pagination.next_offset : undefined);
      this.release();
    } catch (error) {
      if (!this.abort.signal.aborted) this.error = error;
    } finally {
      this.busy.delete(at);
      this.tell();
    }
  }

  private append(after: string | undefined, rows: T[], next: string | undefined): void {
    this.pages.push({ after, start: this.count(), length: rows.length, rows, used: this.ticks });
    this.next = next;
    this.complete = next === undefined;
  }

  private release(): void {
    const held = this.pages.filter((page) => page.rows);
    if (held.length <= PAGES_KEPT) return;
    held.sort((one, two) => one.used - two.used);
    for (const page of held.slice(0, held.length - PAGES_KEPT)) page.rows = undefined;
  }

  private tell(): void {
    const { complete, error } = this;
    this.state = {
      count: this.count(),
      complete,
      error,
      loading: this.busy.size > 0,
      version: this.state.version + 1,
    };
    for (const listener of this.listeners) listener();
  }
}
