// Fields of a form: label, help and error belong to the input for every reader.
import {
  type InputHTMLAttributes,
  type ReactNode,
  type TextareaHTMLAttributes,
  useId,
} from "react";

type Around = { label: string; help?: ReactNode; error?: string | undefined; optional?: boolean };

function Frame({
  id,
  label,
  help,
  error,
  optional,
  children,
}: Around & { id: string; children: ReactNode }) {
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {label} {optional && <span className="field-optional">optional</span>}
      </label>
      {children}
      {error && (
        <div className="field-error" id={`${id}-error`}>
          {error}
        </div>
      )}
      {help && (
        <div className="field-help" id={`${id}-help`}>
          {help}
        </div>
      )}
    </div>
  );
}

function described(id: string, { help, error }: Around) {
  const ids = [error && `${id}-error`, help && `${id}-help`].filter(Boolean).join(" ");
  return { "aria-describedby": ids || undefined, "aria-invalid": error ? true : undefined };
}

type InputProps = Around &
  Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> & {
    mono?: boolean;
    onValue: (value: string) => void;
  };

export function TextField({ label, help, error, optional, mono, onValue, ...input }: InputProps) {
  const id = useId();
  const around = { label, help, error, optional: optional ?? false };
  return (
    <Frame id={id} {...around}>
      <input
        id={id}
        className={mono ? "input input-mono" : "input"}
        autoComplete="off"
        spellCheck={mono ? false : undefined}
        required={!optional}
        {...input}
        {...described(id, around)}
        onChange={(event) => onValue(event.target.value)}
      />
    </Frame>
  );
}

type AreaProps = Around &
  Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "onChange"> & {
    mono?: boolean;
    onValue: (value: string) => void;
  };

export function AreaField({ label, help, error, optional, mono, onValue, ...input }: AreaProps) {
  const id = useId();
  const around = { label, help, error, optional: optional ?? false };
  return (
    <Frame id={id} {...around}>
      <textarea
        id={id}
        className={mono ? "textarea input-mono" : "textarea"}
        spellCheck={mono ? false : undefined}
        required={!optional}
        {...input}
        {...described(id, around)}
        onChange={(event) => onValue(event.target.value)}
      />
    </Frame>
  );
}

type SelectProps = Around & {
  value: string;
  onValue: (value: string) => void;
  options: [value: string, label: string][];
};

export function SelectField({
  label,
  help,
  error,
  optional,
  value,
  onValue,
  options,
}: SelectProps) {
  const id = useId();
  const around = { label, help, error, optional: optional ?? false };
  return (
    <Frame id={id} {...around}>
      <select
        id={id}
        className="select"
        value={value}
        {...described(id, around)}
        onChange={(event) => onValue(event.target.value)}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </Frame>
  );
}

type CheckProps = {
  label: string;
  help?: ReactNode;
  checked: boolean;
  disabled?: boolean;
  onValue: (value: boolean) => void;
};

export function CheckField({ label, help, checked, disabled, onValue }: CheckProps) {
  return (
    <label className="check">
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onValue(event.target.checked)}
      />
      <span>
        {label}
        {help && <span className="check-help">{help}</span>}
      </span>
    </label>
  );
}

type ChoiceProps<T extends string> = {
  legend: string;
  value: T;
  onValue: (value: T) => void;
  options: { value: T; label: string; help: string }[];
};

export function Choice<T extends string>({ legend, value, onValue, options }: ChoiceProps<T>) {
  const name = useId();
  return (
    <fieldset className="choice">
      <legend>{legend}</legend>
      {options.map((option) => (
        <label key={option.value}>
          <input
            type="radio"
            name={name}
            checked={value === option.value}
            onChange={() => onValue(option.value)}
          />
          <span>
            {option.label}
            <small>{option.help}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
