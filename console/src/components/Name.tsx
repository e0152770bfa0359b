// A name or path that comes from elsewhere: always text, in its own direction, with what cannot be
// seen made visible.
import { Fragment } from "react";
import { pieces } from "../format/name";

export function Name({ text, className }: { text: string; className?: string }) {
  return (
    <bdi className={className ? `name ${className}` : "name"} dir="ltr">
      {pieces(text).map((piece, at) =>
        "text" in piece ? (
          <Fragment key={at}>{piece.text}</Fragment>
        ) : (
          <span key={at} className="name-hidden" title="a character that cannot be seen">
            {piece.code}
          </span>
        ),
      )}
    </bdi>
  );
}
