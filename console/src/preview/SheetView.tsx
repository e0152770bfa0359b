// A table of a CSV or Parquet file.
type Props = {
  label: string;
  header: { name: string; type?: string }[];
  rows: string[][];
  numeric: boolean[];
};

export function SheetView({ label, header, rows, numeric }: Props) {
  return (
    <div className="preview-box" tabIndex={0} role="region" aria-label={label}>
      <table className="sheet">
        <thead>
          <tr>
            <th className="at" scope="col">
              <span className="unseen">Row</span>
            </th>
            {header.map(({ name, type }, at) => (
              <th key={at} scope="col" className={numeric[at] ? "number" : undefined}>
                {name}
                {type && <span className="sheet-type">{type}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              <td className="at">{at + 1}</td>
              {header.map((_, column) => (
                <td key={column} className={numeric[column] ? "number" : undefined}>
                  {row[column] ?? ""}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
