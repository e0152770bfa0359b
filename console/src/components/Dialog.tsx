// A dialog over the page. The browser keeps the focus in it and closes it with Escape.
import { type ReactNode, useEffect, useRef } from "react";

type Props = { title: string; onClose: () => void; wide?: boolean; children: ReactNode };

export function Dialog({ title, onClose, wide, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    if (element && !element.open) element.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={wide ? "dialog dialog-wide" : "dialog"}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div className="dialog-body">
        <div className="dialog-head">
          <h2>{title}</h2>
          <button type="button" className="button button-plain button-small" onClick={onClose}>
            Close
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

type ConfirmProps = {
  title: string;
  action: string;
  busy: boolean;
  disabled?: boolean;
  onConfirm: () => void;
  onClose: () => void;
  children: ReactNode;
};

/** Asks before something that cannot easily be undone. */
export function Confirm({
  title,
  action,
  busy,
  disabled,
  onConfirm,
  onClose,
  children,
}: ConfirmProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <div className="form-end">
        <button
          type="button"
          className="button button-danger"
          disabled={busy || disabled}
          onClick={onConfirm}
        >
          {busy ? "One moment…" : action}
        </button>
        <button type="button" className="button button-plain" onClick={onClose}>
          Keep it as it is
        </button>
      </div>
    </Dialog>
  );
}
