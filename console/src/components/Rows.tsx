// A table of any length. Only the rows in view exist; the box is as tall as all of them would be,
// or as tall as browsers can draw, and is scrolled in proportion then.
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";

const ROW_PX = 32;
/** Rows drawn beyond the visible ones. */
const AROUND = 12;
/** The height that all browsers can draw. */
const SPACE_PX_MAX = 12_000_000;

type Props = {
  label: string;
  /** The class that gives the columns. */
  grid: string;
  className?: string;
  header: ReactNode;
  count: number;
  rowPx?: number;
  /** Whether `count` is final. */
  complete?: boolean;
  row: (index: number) => ReactNode;
  /** The rows that are drawn now. */
  onRange?: (first: number, last: number) => void;
  /** Scrolls to the top when it changes. */
  resetKey?: string;
};

export function Rows({
  label,
  grid,
  className,
  header,
  count,
  rowPx = ROW_PX,
  complete = true,
  row,
  onRange,
  resetKey,
}: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(640);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setHeight(Math.max(element.clientHeight, rowPx));
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, [rowPx]);
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = 0;
    setTop(0);
  }, [resetKey]);

  const whole = count * rowPx;
  const space = Math.min(whole, SPACE_PX_MAX);
  const scale = space > height ? (whole - height) / (space - height) : 1;
  const virtual = top * scale;
  const first = Math.max(0, Math.floor(virtual / rowPx) - AROUND);
  const last = Math.min(count - 1, Math.ceil((virtual + height) / rowPx) + AROUND);
  useEffect(() => onRange?.(first, Math.max(first, last)), [first, last, onRange]);

  const shown: ReactNode[] = [];
  for (let index = first; index <= last; index += 1) {
    const style = { transform: `translateY(${index * rowPx - virtual + top}px)`, height: rowPx };
    shown.push(
      <div key={index} className={`row ${grid}`} role="row" aria-rowindex={index + 2} style={style}>
        {row(index)}
      </div>,
    );
  }
  return (
    <div
      className={className ? `rows ${className}` : "rows"}
      role="table"
      aria-label={label}
      aria-rowcount={complete ? count + 1 : -1}
    >
      <div role="rowgroup">
        <div className={`rows-head ${grid}`} role="row" aria-rowindex={1}>
          {header}
        </div>
      </div>
      <div
        ref={box}
        className="rows-box"
        role="rowgroup"
        tabIndex={0}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      >
        <div className="rows-space" role="presentation" style={{ height: space }}>
          {shown}
        </div>
      </div>
    </div>
  );
}
