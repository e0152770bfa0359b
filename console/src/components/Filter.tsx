// The field that filters a page; `/` leads to it from anywhere.
type Props = {
  value: string;
  onValue: (value: string) => void;
  label: string;
  placeholder: string;
};

export function Filter({ value, onValue, label, placeholder }: Props) {
  return (
    <div className="filter">
      <input
        className="input"
        type="search"
        data-filter=""
        aria-label={label}
        placeholder={placeholder}
        value={value}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => onValue(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          if (value === "") event.currentTarget.blur();
          onValue("");
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </div>
  );
}
