"""What the client has no words for, by raw HTTP: metadata, conditions, presigned links, tokens of uploads."""

from __future__ import annotations

import re
import socket

import httpx
import pytest
from servers import Tilde
from work import Team, good, refused

BODY = bytes(range(256)) * 8


def put(team: Team, session_id: str, path: str, body: bytes, **spec: object) -> dict:
    """An upload as the client does it, with what it never says."""
    query = {"session_id": session_id, "path": path}
    begun = good(team.http.put("object", params=query))
    assert set(begun) == {"upload_url", "upload_token"}
    # The link is its own credential.
    stored = httpx.put(begun["upload_url"], content=body, headers={"Content-Type": "application/octet-stream"})
    assert stored.is_success, stored.text
    assert re.fullmatch('"[0-9a-f]{64}"', stored.headers["etag"])
    spec = {"upload_token": begun["upload_token"], "checksum": stored.headers["etag"].strip('"')} | spec
    done = team.http.post("object/finalize", params=query, json=spec)
    assert done.status_code == 201, done.text
    assert done.json() == {"path": path, "etag": stored.headers["etag"].strip('"')}
    return done.json()


@pytest.fixture
def described(team: Team) -> Team:
    """A repository whose head has the object `a`, with everything said about it."""
    with team.repository.session() as session:
        put(
            team, session.session_id, "a", BODY, content_type="text/csv", size_bytes=len(BODY),
            metadata={"colour": "blue", "note": "ä b"},
        )
        session.commit("described")
    return team


def test_metadata_and_content_type(described: Team) -> None:
    for answer in (
        described.http.get("object", params={"path": "a"}), described.http.head("object", params={"path": "a"})
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/csv"
        assert answer.headers["content-length"] == str(len(BODY))
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["x-tilde-meta-colour"] == "blue"
        assert answer.headers["x-tilde-reproducible"] == "true"
        assert "set-cookie" not in answer.headers
        assert "content-encoding" not in answer.headers
    entry = described.listing()[0]["entry"]
    assert entry["metadata"] == {"colour": "blue", "note": "ä b"}
    assert entry["content_type"] == "text/csv"


def test_metadata_survives_a_copy(described: Team) -> None:
    with described.repository.session() as session:
        session.objects.copy("a", "b")
        session.commit("copy")
    first, second = described.listing()
    assert first["entry"]["metadata"] == second["entry"]["metadata"]
    assert second["entry"]["content_type"] == "text/csv"


def test_metadata_given_as_headers(team: Team) -> None:
    """The older form of an upload: the bytes in the first request."""
    with team.repository.session() as session:
        query = {"session_id": session.session_id, "path": "a"}
        headers = {"Content-Type": "application/octet-stream", "X-Tilde-Meta-Colour": "blue"}
        done = team.http.put("object", params=query, content=b"hello", headers=headers)
        assert (done.status_code, done.json()["path"]) == (201, "a"), done.text
        session.commit("old form")
    answer = team.http.get("object", params={"path": "a"})
    assert (answer.content, answer.headers["x-tilde-meta-colour"]) == (b"hello", "blue")
    assert answer.headers["etag"] == f'"{done.json()["etag"]}"'


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0), ("bytes=10-", 10, 2047), ("bytes=-5", 2043, 2047), ("bytes=2000-9999", 2000, 2047),
        ("bytes=-9999", 0, 2047),
    ],
)
def test_ranges(described: Team, asked: str, first: int, last: int) -> None:
    answer = described.http.get("object", params={"path": "a"}, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, BODY[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(BODY)}"
    assert answer.headers["content-length"] == str(last + 1 - first)


def test_conditions(described: Team) -> None:
    query = {"path": "a"}
    tag = described.http.head("object", params=query).headers["etag"]
    other = '"0000"'

    def get(method: str = "GET", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return described.http.request(method, "object", params=query, headers=named)

    for method in ("GET", "HEAD"):
        for matches in (tag, f"W/{tag}", f"{other}, {tag}", "*"):
            known = get(method, If_None_Match=matches)
            assert (known.status_code, known.content) == (304, b""), matches
            assert known.headers["etag"] == tag
        assert get(method, If_None_Match=other).status_code == 200
        for matches in (tag, f"{other}, {tag}", "*"):
            assert get(method, If_Match=matches).status_code == 200, matches
        assert get(method, If_Match=other).status_code == 412
    refused(get(If_Match=other), 412)
    refused(get(If_Match=other, If_None_Match=tag), 412)
    same = get(Range="bytes=1-3", If_Range=tag)
    assert (same.status_code, same.content) == (206, BODY[1:4])
    for changed in (other, f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        whole = get(Range="bytes=1-3", If_Range=changed)
        assert (whole.status_code, whole.content) == (200, BODY), changed
    assert get(Range="bytes=1-3", If_None_Match=tag).status_code == 304
    refused(get(Range="bytes=1-3", If_Match=other), 412)


def presigned(team: Team, path: str, **query: str) -> str:
    answer = team.http.get("object", params={"path": path, "presign": "true"} | query)
    assert answer.status_code == 307, f"{answer.status_code} {answer.text}"
    assert "no-store" in answer.headers["cache-control"]
    assert "set-cookie" not in answer.headers
    return answer.headers["location"]


def test_a_presigned_link_needs_no_credential(server: Tilde, described: Team) -> None:
    link = presigned(described, "a")
    assert link.startswith(f"{server.url}/")
    assert server.key not in link
    answer = httpx.get(link)
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["content-type"] == "text/csv"
    assert answer.headers["x-tilde-meta-colour"] == "blue"
    assert httpx.get(link, headers={"Authorization": "Bearer tuk-nonsense"}).content == BODY
    part = httpx.get(link, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, BODY[1:4])
    assert httpx.get(link, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    head = httpx.head(link)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(BODY)), b"")
    for method in ("PUT", "POST", "DELETE"):
        assert httpx.request(method, link).status_code in (403, 404, 405)
    direct = described.http.head("object", params={"path": "a", "presign": "true"})
    assert direct.status_code == 200, "HEAD is answered directly, never by a redirect"
    assert described.http.get("object", params={"path": "a", "presign": "false"}).content == BODY


def test_a_presigned_link_stays_with_its_bytes(described: Team) -> None:
    link = presigned(described, "a")
    described.commit({"a": b"changed"})
    assert httpx.get(link).content == BODY
    assert httpx.get(presigned(described, "a")).content == b"changed"
    described.commit({}, "a")
    assert httpx.get(link).content == BODY
    refused(described.http.get("object", params={"path": "a", "presign": "true"}), 404)


def test_a_presigned_link_into_a_session(described: Team) -> None:
    session = described.repository.session()
    session.objects.put("b", b"staged")
    link = presigned(described, "b", session_id=session.session_id)
    assert httpx.get(link).content == b"staged"
    session.rollback()
    assert httpx.get(link).status_code in (403, 404, 410)


def test_a_changed_link_opens_nothing(described: Team) -> None:
    link = presigned(described, "a")
    for position in range(len(described.server.url) + 1, len(link), 7):
        if link[position] in "/?=&":
            continue
        changed = link[:position] + ("A" if link[position] != "A" else "B") + link[position + 1 :]
        assert httpx.get(changed).status_code in (400, 401, 403, 404), changed
    assert httpx.get(link[:-1]).status_code in (400, 401, 403, 404)


def test_a_presigned_link_ends_with_its_makers_rights(server: Tilde, described: Team) -> None:
    ann = server.http(server.add_user("ann"))
    member = described.organization.members.create("ann")
    path = "organizations/my-team/repositories/my-data/object"
    link = ann.get(path, params={"path": "a", "presign": "true"}).headers["location"]
    assert httpx.get(link).content == BODY
    member.delete()
    assert httpx.get(link).status_code in (401, 403, 404)


def test_what_the_client_states_is_verified(team: Team) -> None:
    with team.repository.session() as session:
        query = {"session_id": session.session_id, "path": "a"}
        for wrong in ({"checksum": "0" * 64}, {"size_bytes": 4}, {"size_bytes": 6}):
            begun = good(team.http.put("object", params=query))
            httpx.put(begun["upload_url"], content=b"hello")
            spec = {"upload_token": begun["upload_token"]} | wrong
            refused(team.http.post("object/finalize", params=query, json=spec), 400)
        assert list(session.uncommitted()) == []


def test_a_token_is_for_one_session_and_path(team: Team) -> None:
    mine, other = team.repository.session(), team.repository.session()
    query = {"session_id": mine.session_id, "path": "a"}
    begun = good(team.http.put("object", params=query))
    spec = {"upload_token": begun["upload_token"]}
    httpx.put(begun["upload_url"], content=b"hello")
    for changed in ({"path": "b"}, {"session_id": other.session_id}):
        answer = team.http.post("object/finalize", params=query | changed, json=spec)
        assert answer.status_code in (400, 403, 404), answer.text
    for token in ("", "nonsense", spec["upload_token"][:-2] + "AA"):
        answer = team.http.post("object/finalize", params=query, json={"upload_token": token})
        assert answer.status_code in (400, 403, 404), answer.text
    assert team.http.post("object/finalize", params=query, json=spec).status_code == 201
    mine.objects.put("a", b"newer")
    again = team.http.post("object/finalize", params=query, json=spec)
    assert again.status_code in (400, 403, 404, 409), "a token is used once"
    assert mine.objects.get("a").read() == b"newer"
    assert httpx.put(begun["upload_url"], content=b"replayed").status_code in (400, 403, 404, 409, 410)
    mine.rollback()
    other.rollback()


def test_finalize_waits_for_the_bytes(team: Team) -> None:
    with team.repository.session() as session:
        query = {"session_id": session.session_id, "path": "a"}
        begun = good(team.http.put("object", params=query))
        spec = {"upload_token": begun["upload_token"]}
        assert team.http.post("object/finalize", params=query, json=spec).status_code in (400, 404, 409)
        assert list(session.uncommitted()) == []


def test_parts_may_come_in_any_order_and_again(team: Team) -> None:
    parts = {1: b"a" * 70_000, 2: b"b" * 3, 3: b"", 7: b"c" * 2_000_000}
    with team.repository.session() as session:
        query = {"session_id": session.session_id, "path": "a"}
        begun = good(team.http.post("object/multipart", params=query))
        assert set(begun) == {"upload_id", "upload_token"}
        tags = {}
        for number in (7, 2, 1, 3, 2):
            link = good(team.http.get("object/multipart/part", params=query | begun | {"part_number": number}))
            stored = httpx.put(link["upload_url"], content=parts[number])
            tags[number] = stored.headers["etag"]
        wanted = [{"part_number": number, "etag": tags[number]} for number in sorted(parts)]
        complete = {"content_type": "text/plain", "size_bytes": sum(map(len, parts.values())), "metadata": {"k": "v"}}

        def finish(parts: list[dict], **spec: object) -> httpx.Response:
            return team.http.post(
                "object/multipart/complete", params=query, json=begun | complete | {"parts": parts} | spec
            )

        for wrong in (
            wanted[::-1], wanted + [{"part_number": 8, "etag": tags[7]}], [wanted[0] | {"etag": tags[7]}, *wanted[1:]],
        ):
            refused(finish(wrong), 400)
        refused(finish(wanted, size_bytes=1), 400)
        assert list(session.uncommitted()) == []
        done = finish(wanted)
        assert (done.status_code, done.json()["path"]) == (201, "a"), done.text
        session.commit("parts")
    answer = team.http.get("object", params={"path": "a"})
    assert answer.content == b"".join(parts[number] for number in sorted(parts))
    assert (answer.headers["content-type"], answer.headers["x-tilde-meta-k"]) == ("text/plain", "v")


def test_an_aborted_upload_takes_no_more(team: Team) -> None:
    with team.repository.session() as session:
        query = {"session_id": session.session_id, "path": "a"}
        begun = good(team.http.post("object/multipart", params=query))
        sign = query | begun | {"part_number": 1}
        link = good(team.http.get("object/multipart/part", params=sign))["upload_url"]
        for number in (0, -1, 10_001):
            refused(team.http.get("object/multipart/part", params=sign | {"part_number": number}), 400)
        assert team.http.delete("object/multipart", params=query | begun).status_code == 204
        assert httpx.put(link, content=b"late").status_code in (400, 403, 404, 409, 410)
        complete = begun | {"parts": []}
        assert team.http.post("object/multipart/complete", params=query, json=complete).status_code in (400, 403, 404)
        assert list(session.uncommitted()) == []


def send(server: Tilde, head: str, body: bytes) -> bytes:
    """What comes back on a connection until it is closed, by us after the last byte of the request."""
    name, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((name, int(port)), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_a_body_that_breaks_off_is_sent_again(server: Tilde, team: Team) -> None:
    with team.repository.session() as session:
        query = {"session_id": session.session_id, "path": "a"}
        begun = good(team.http.put("object", params=query))
        path = begun["upload_url"].removeprefix(server.url)
        head = f"PUT {path} HTTP/1.1\nHost: {server.url.removeprefix('http://')}\nContent-Length: 3000000\n"
        answer = send(server, head, b"x" * 1_000_000)
        assert not answer.startswith(b"HTTP/1.1 2")
        spec = {"upload_token": begun["upload_token"]}
        assert team.http.post("object/finalize", params=query, json=spec).status_code in (400, 404, 409)
        body = b"y" * 3_000_000
        assert httpx.put(begun["upload_url"], content=body).is_success
        assert team.http.post("object/finalize", params=query, json=spec).status_code == 201
        assert session.objects.get("a").read() == body


def test_an_ambiguous_length_is_refused(server: Tilde, team: Team) -> None:
    with team.repository.session() as session:
        query = {"session_id": session.session_id, "path": "a"}
        begun = good(team.http.put("object", params=query))
        path = begun["upload_url"].removeprefix(server.url)
        head = (
            f"PUT {path} HTTP/1.1\nHost: {server.url.removeprefix('http://')}\n"
            "Content-Length: 5\nTransfer-Encoding: chunked\n"
        )
        answer = send(server, head, b"5\r\nhello\r\n0\r\n\r\n" + b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1, "the connection ends with it"
        assert list(session.uncommitted()) == []


def test_a_body_without_a_length(team: Team) -> None:
    with team.repository.session() as session:
        query = {"session_id": session.session_id, "path": "a"}
        begun = good(team.http.put("object", params=query))
        stored = httpx.put(begun["upload_url"], content=iter([b"a" * 1_500_000, b"b"]))
        assert stored.is_success
        spec = {"upload_token": begun["upload_token"], "size_bytes": 1_500_001}
        assert team.http.post("object/finalize", params=query, json=spec).status_code == 201
        assert session.objects.get("a").read() == b"a" * 1_500_000 + b"b"
