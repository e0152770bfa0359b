// What was changed in the organization, by whom and when. For owners.
import { useInfiniteQuery } from "@tanstack/react-query";
import { ApiError } from "../api/client";
import { organizations } from "../api/endpoints";
import { Ago } from "../components/Ago";
import { Copy } from "../components/Copy";
import { Head, useTitle } from "../components/Head";
import { Name } from "../components/Name";
import { Failure, Note, Waiting } from "../components/Note";

export function Audit({ org }: { org: string }) {
  useTitle(`Audit log of ${org}`);
  const found = useInfiniteQuery({
    queryKey: ["audit", org],
    initialPageParam: "",
    queryFn: ({ pageParam }) => organizations.audit(org, { after: pageParam, amount: 100 }),
    getNextPageParam: ({ pagination }) =>
      pagination.has_more ? pagination.next_offset : undefined,
  });
  const rows = found.data?.pages.flatMap((page) => page.results) ?? [];
  const forbidden = found.error instanceof ApiError && found.error.status === 403;
  return (
    <>
      <Head title="Audit log" sub="Every change, newest first. It is only ever added to." />
      {found.isPending && <Waiting />}
      {forbidden ? (
        <Note>Only owners of the organization see its audit log.</Note>
      ) : (
        <Failure error={found.error} again={() => void found.refetch()} />
      )}
      {found.data && rows.length === 0 && <Note>Nothing was changed yet.</Note>}
      {rows.length > 0 && (
        <table className="stack-small">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Who</th>
              <th scope="col">Did</th>
              <th scope="col">To</th>
              <th scope="col">Details</th>
              <th scope="col">Request</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <tr key={one.id}>
                <td>
                  <Ago time={one.time} />
                </td>
                <td className="nowrap">
                  <Name text={one.principal_name || one.principal_type} />
                  {one.principal_type !== "user" && one.principal_name && (
                    <span className="faint"> {one.principal_type}</span>
                  )}
                </td>
                <td className="mono nowrap">{one.action}</td>
                <td className="long">
                  <Name text={one.resource} />
                </td>
                <td className="faint long">
                  {Object.entries(one.details).map(([key, value]) => (
                    <div key={key}>
                      {key}: <Name text={value} />
                    </div>
                  ))}
                </td>
                <td>
                  {one.request_id && (
                    <span className="nowrap">
                      <span className="id" title={one.request_id}>
                        {one.request_id.slice(0, 8)}
                      </span>{" "}
                      <Copy text={one.request_id} what="the request id" />
                    </span>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {found.hasNextPage && (
        <button
          type="button"
          className="button more"
          disabled={found.isFetchingNextPage}
          onClick={() => void found.fetchNextPage()}
        >
          Older entries
        </button>
      )}
    </>
  );
}
