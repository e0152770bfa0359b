// Keeps the rest of the console alive when a page breaks.
import { Component, type ReactNode } from "react";
import { Note } from "../components/Note";

export class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <Note
        tone="bad"
        title="This page broke."
        actions={
          <button type="button" className="button button-small" onClick={() => location.reload()}>
            Load it again
          </button>
        }
      >
        {error.message}. If loading again does not help, the console may be older than the server:
        empty the browser's cache.
      </Note>
    );
  }
}
