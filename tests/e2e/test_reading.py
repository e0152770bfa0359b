"""Reading what was imported: objects whole and in part, listings, history; without the source."""

from __future__ import annotations

import hashlib

import pytest
import tilde
from servers import Moto
from work import Team, good, refused

# Three sizes that rest in three ways: empty, packed beside others, and in pieces of its own.
BODIES = {
    "a.txt": b"hello",
    "b/empty": b"",
    "b/c/packed.bin": hashlib.sha256(b"packed").digest() * 30_000,
    "b/c/pieces.bin": hashlib.sha256(b"pieces").digest() * 600_000,
}


@pytest.fixture
def read(team: Team, moto: Moto) -> Team:
    """A team whose repository holds BODIES."""
    bucket = moto.bucket(BODIES)
    moto.client.put_object(
        Bucket=bucket, Key="a.txt", Body=BODIES["a.txt"], ContentType="text/plain", Metadata={"colour": "blue"}
    )
    team.run_import(team.connector(moto, f"s3://{bucket}/"))
    return team


def test_whole_objects_and_their_headers(read: Team) -> None:
    commit = next(iter(read.repository.commits.list()))
    for path, body in BODIES.items():
        with commit.objects.get(path) as reader:
            assert reader.read() == body
            etag = reader.etag
        head = commit.objects.head(path)
        assert (head.etag, head.content_length, head.reproducible) == (etag, len(body), True)
    answer = read.http.get("object", params={"path": "a.txt"})
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-tilde-meta-colour"] == "blue"
    row = read.listing()[0]
    assert answer.headers["etag"] == f'"{row["entry"]["e_tag"]}"'
    assert (row["entry"]["size"], row["entry"]["metadata"]) == (5, {"colour": "blue"})
    streamed = commit.objects.get("b/c/pieces.bin", cache=False)
    assert b"".join(streamed.iter_bytes()) == BODIES["b/c/pieces.bin"]


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 0), (0, 4), (1, None), (16_777_215, 16_777_216), (18_000_000, 18_999_999), (19_199_999, None)],
)
def test_ranges_through_the_client(read: Team, first: int, last: int | None) -> None:
    path = "b/c/pieces.bin" if first else "a.txt"
    commit = next(iter(read.repository.commits.list()))
    stop = len(BODIES[path]) if last is None else last + 1
    reader = commit.objects.get(path, byte_range=(first, last))
    assert reader.read() == BODIES[path][first:stop]
    assert reader.content_range == f"bytes {first}-{stop - 1}/{len(BODIES[path])}"


def test_ranges_on_the_wire(read: Team) -> None:
    def get(range_: str):
        return read.http.get("object", params={"path": "a.txt"}, headers={"Range": range_})

    assert (get("bytes=-2").status_code, get("bytes=-2").content) == (206, b"lo")
    assert get("bytes=3-99").headers["content-range"] == "bytes 3-4/5"
    # What is no single range is ignored, as HTTP has it.
    for ignored in ("bytes=0-1,3-4", "lines=1-2", "bytes=x"):
        assert (get(ignored).status_code, get(ignored).content) == (200, b"hello"), ignored
    beyond = get("bytes=5-")
    refused(beyond, 416)
    assert beyond.headers["content-range"] == "bytes */5"
    known = read.http.get("object", params={"path": "a.txt"})
    again = read.http.get("object", params={"path": "a.txt"}, headers={"If-None-Match": known.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_missing_objects(read: Team) -> None:
    for path in ("a", "a.txt/", "b", "b/c", "A.txt", "/a.txt", "zz"):
        refused(read.http.get("object", params={"path": path}), 404)
        head = read.http.head("object", params={"path": path})
        assert (head.status_code, head.content) == (404, b""), path
    refused(read.http.get("object"), 400)
    commit = next(iter(read.repository.commits.list()))
    with pytest.raises(tilde.exceptions.NotFoundError):
        commit.objects.get("zz").read()


def test_listings(team: Team, moto: Moto) -> None:
    keys = [f"{folder}/{number:03}" for folder in ("a", "b", "b-", "c/d") for number in range(60)] + ["top"]
    bucket = moto.bucket({key: key.encode() for key in keys})
    team.run_import(team.connector(moto, f"s3://{bucket}/"))
    objects = next(iter(team.repository.commits.list())).objects

    assert [row.path for row in objects.list(page_size=7)] == sorted(keys)
    assert [row.path for row in objects.list(page_size=7, amount=20)] == sorted(keys)[:20]
    grouped = [(row.path, row.type) for row in objects.list(delimiter="/", page_size=2)]
    assert grouped == [("a/", "prefix"), ("b-/", "prefix"), ("b/", "prefix"), ("c/", "prefix"), ("top", "object")]
    assert [row.path for row in objects.list(prefix="c/", delimiter="/")] == ["c/d/"]
    assert [row.path for row in objects.list(prefix="b/05")] == [f"b/05{digit}" for digit in range(10)]
    assert [row.path for row in objects.list(after="c/d/058")] == ["c/d/059", "top"]
    assert list(objects.list(prefix="nothing")) == []

    page = good(team.http.get("objects", params={"amount": 3}))
    assert [row["path"] for row in page["results"]] == ["a/000", "a/001", "a/002"]
    assert page["pagination"]["has_more"] is True
    assert page["pagination"]["next_offset"]
    assert good(team.http.get("objects", params={"amount": 5000}))["pagination"]["has_more"] is False
    for amount in ("0", "-1", "ten"):
        assert "amount" in refused(team.http.get("objects", params={"amount": amount}), 400)["message"]


def test_history(team: Team, moto: Moto) -> None:
    assert list(team.repository.commits.list()) == []
    assert team.listing() == []
    bucket = moto.bucket({"stays": b"1", "changes": b"1"})
    connector = team.connector(moto, f"s3://{bucket}/")
    first = team.run_import(connector, "d/", commit_message="first").commit_id
    same = team.run_import(connector, "d/")
    assert (same.commit_id, same.objects_imported) == (first, 2), "nothing changed: no new commit"

    moto.client.put_object(Bucket=bucket, Key="changes", Body=b"22")
    moto.client.put_object(Bucket=bucket, Key="comes", Body=b"333")
    moto.client.delete_object(Bucket=bucket, Key="stays")
    second = team.run_import(connector, "d/", commit_message="second").commit_id

    log = list(team.repository.commits.list(page_size=1))
    assert [(c.id, c.message, c.parents) for c in log] == [(second, "second", [first]), (first, "first", [])]
    assert [c.committer_type for c in log] == ["user", "user"]
    assert team.repository.commits.get(first[:12]).id == first
    changes = [(row.path, row.status) for row in log[0].diff()]
    assert changes == [("d/changes", "modified"), ("d/comes", "added")]
    assert [(row.path, row.status) for row in log[1].diff()] == [("d/changes", "added"), ("d/stays", "added")]
    back = good(team.http.get("diff", params={"left": second, "right": first}))["results"]
    assert [(row["path"], row["status"]) for row in back] == [("d/changes", "modified"), ("d/comes", "removed")]
    touched = good(team.http.get("log", params={"object": "d/comes"}))["results"]
    assert [row["id"] for row in touched] == [second]

    assert team.content() == {"d/changes": b"22", "d/comes": b"333", "d/stays": b"1"}
    assert team.content(ref=first) == {"d/changes": b"1", "d/stays": b"1"}
    for ref in ("0" * 64, "00000000", "not-a-commit"):
        refused(team.http.get("objects", params={"ref": ref}), 404)
        refused(team.http.get("log", params={"ref": ref}), 404)


def test_an_empty_import_makes_no_commit(team: Team, moto: Moto) -> None:
    bucket = moto.bucket({"a/b": b"1"})
    job = team.run_import(team.connector(moto, f"s3://{bucket}/"), source_prefix="nothing/")
    assert (job.objects_imported, job.commit_id) == (0, "")
    assert list(team.repository.commits.list()) == []


def test_reads_need_no_source(start, tmp_path) -> None:
    source = Moto(tmp_path)
    try:
        server = start()
        team = Team(server, tilde.Client(api_key=server.key, endpoint_url=server.url))
        bucket = source.bucket(BODIES)
        connector = team.connector(source, f"s3://{bucket}/")
        team.run_import(connector)
    finally:
        source.stop()
    assert team.content() == BODIES
    job = team.finish(team.repository.imports.create_from_connector(connector.id, "again/"))
    assert job.status == "failed"
    assert job.error
    assert team.content() == BODIES, "a failed import leaves nothing behind"
