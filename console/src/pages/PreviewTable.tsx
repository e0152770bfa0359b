// What an import would do to the repository, in numbers.
import type { ImportJob } from "../api/types";
import { Note } from "../components/Note";
import { ChangeMark } from "../components/Status";
import { count, size } from "../format/size";

type Preview = NonNullable<ImportJob["preview"]>;

export function PreviewTable({ preview }: { preview: Preview }) {
  const lines: [string, string, Preview["added"]][] = [
    ["added", "would be new", preview.added],
    ["modified", "would be replaced", preview.modified],
    ["removed", "would be deleted", preview.removed],
    ["unchanged", "are as they are", preview.unchanged],
  ];
  return (
    <>
      {preview.refusal && (
        <Note tone="warn" title="The import itself would fail.">
          {preview.refusal}
        </Note>
      )}
      <table>
        <tbody>
          {lines.map(([status, words, { objects, bytes }]) => (
            <tr key={status}>
              <td className="nowrap">
                <ChangeMark status={status} /> {words}
              </td>
              <td className="number">{count(objects)}</td>
              <td className="number">{size(bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
