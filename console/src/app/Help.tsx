// The keys that the console knows.
import { useState } from "react";
import { CheckField } from "../components/Field";
import { Dialog } from "../components/Dialog";
import { HELP, singleKeys } from "../keyboard/shortcuts";

export function Help({ onClose }: { onClose: () => void }) {
  const [on, setOn] = useState(singleKeys.on);
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl className="facts">
        {HELP.map(([keys, what]) => (
          <div key={what} style={{ display: "contents" }}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <CheckField
        label="Single keys do something"
        help="Turn this off if you dictate, or press keys by accident. Then click Help to come back here."
        checked={on}
        onValue={(value) => {
          singleKeys.set(value);
          setOn(value);
        }}
      />
    </Dialog>
  );
}
