// A link inside the console: an ordinary anchor that does not load the page anew.
import type { AnchorHTMLAttributes, MouseEvent } from "react";
import { navigate } from "./history";

type Props = AnchorHTMLAttributes<HTMLAnchorElement> & {
  to: string;
  /** Marks the link that `j` and `k` move to. */
  row?: boolean;
};

export function Link({ to, row, onClick, ...rest }: Props) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    const plain =
      event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (event.defaultPrevented || !plain) return;
    event.preventDefault();
    navigate(to);
  };
  return <a {...rest} href={to} data-row={row ? "" : undefined} onClick={follow} />;
}
