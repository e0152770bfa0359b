// A small menu that closes when something else is clicked or focused, and on Escape.
import { type ReactNode, useEffect, useRef } from "react";

type Props = {
  label: ReactNode;
  name: string;
  className?: string;
  summaryClass?: string;
  children: ReactNode;
};

export function Menu({ label, name, className, summaryClass, children }: Props) {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const outside = (event: Event) => {
      const element = details.current;
      if (element?.open && !element.contains(event.target as Node)) element.open = false;
    };
    addEventListener("pointerdown", outside);
    addEventListener("focusin", outside);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("focusin", outside);
    };
  }, []);
  const close = () => {
    if (details.current) details.current.open = false;
  };
  return (
    <details
      ref={details}
      className={className ? `menu ${className}` : "menu"}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !details.current?.open) return;
        close();
        details.current.querySelector("summary")?.focus();
      }}
    >
      <summary className={summaryClass}>
        <span className="unseen">{name}: </span>
        {label}
      </summary>
      <div className="menu-list" onClick={close}>
        {children}
      </div>
    </details>
  );
}
