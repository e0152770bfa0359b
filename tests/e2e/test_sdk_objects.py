"""Objects through the unmodified client: put in every way it knows, read, copied, deleted."""

from __future__ import annotations

import hashlib
import io
import itertools
import pathlib
import random

import httpx
import pytest
import tilde
from servers import Tilde
from tilde.exceptions import APIError, BadRequestError, NotFoundError
from work import Team

MIB = 1 << 20
# From this size on the client uploads in parts.
MULTIPART_BYTES = 64 * MIB


def noise(seed: object, size: int) -> bytes:
    return random.Random(str(seed)).randbytes(size)


class Calls:
    """A client that remembers what it asked for: `METHOD last/words/of/the/path`."""

    def __init__(self, server: Tilde) -> None:
        self.seen: list[str] = []
        http = httpx.Client(base_url=server.api, timeout=60, event_hooks={"request": [self._see]})
        self.client = tilde.Client(api_key=server.key, endpoint_url=server.url, httpx_client=http)

    def _see(self, request: httpx.Request) -> None:
        self.seen.append(f"{request.method} {request.url.path.partition('/my-data/')[2] or 'link'}")


SINGLE = ["PUT object", "PUT link", "POST object/finalize"]


def multipart(parts: int) -> list[str]:
    each = ["GET object/multipart/part", "PUT link"]
    return ["POST object/multipart", *each * parts, "POST object/multipart/complete"]


class Stream:
    """Something to read whose size nobody knows, and which gives less than it is asked for."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    def read(self, size: int = -1) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""


def test_every_way_to_give_the_bytes(server: Tilde, team: Team, tmp_path: pathlib.Path) -> None:
    calls = Calls(server)
    (tmp_path / "file").write_bytes(b"from a path")
    ways = {
        "bytes": (b"bytes", SINGLE, b"bytes"),
        "bytearray": (bytearray(b"array"), SINGLE, b"array"),
        "memoryview": (memoryview(b"the view")[4:], SINGLE, b"view"),
        "path": (tmp_path / "file", SINGLE, b"from a path"),
        "file": (io.BytesIO(b"from a file"), SINGLE, b"from a file"),
        "empty": (b"", SINGLE, b""),
        "empty file": (io.BytesIO(), SINGLE, b""),
        "iterable": (iter([b"a", b"", b"bc"]), multipart(1), b"abc"),
        "empty iterable": (iter([]), multipart(0), b""),
        "short reads": (Stream([b"one ", b"two ", b"three"]), multipart(3), b"one two three"),
    }
    with calls.client.repository("my-team/my-data").session() as session:
        for path, (data, expected, body) in ways.items():
            calls.seen.clear()
            result = session.objects.put(path, data)
            assert calls.seen == expected, path
            assert result.path == path
            assert session.objects.get(path).read() == body
            head = session.objects.head(path)
            assert (head.etag, head.content_length) == (f'"{result.etag}"', len(body)), path
            assert (head.content_type, head.reproducible) == ("application/octet-stream", True)
        session.commit("every way")
    assert team.content() == {path: body for path, (_, _, body) in ways.items()}
    same = {row["path"]: row["entry"]["e_tag"] for row in team.listing()}
    assert same["empty"] == same["empty iterable"], "an ETag tells the bytes, not how they came"
    assert len({same["bytes"], same["file"], same["empty"]}) == 3


@pytest.mark.parametrize(
    ("size", "parts"), [(MULTIPART_BYTES - 1, 0), (MULTIPART_BYTES, 1), (MULTIPART_BYTES + 1, 2)]
)
def test_the_boundary_between_single_and_multipart_uploads(
    server: Tilde, team: Team, size: int, parts: int
) -> None:
    calls = Calls(server)
    body = noise("boundary", size)
    with calls.client.repository("my-team/my-data").session() as session:
        calls.seen.clear()
        etag = session.objects.put("large", body).etag
        assert calls.seen == (multipart(parts) if parts else SINGLE)
        session.commit("large")
    reader = next(iter(team.repository.commits.list())).objects.get("large", cache=False)
    assert hashlib.sha256(b"".join(reader.iter_bytes(MIB))).digest() == hashlib.sha256(body).digest()
    assert (reader.etag, reader.content_length) == (f'"{etag}"', size)


def test_an_etag_does_not_tell_how_the_bytes_were_cut(server: Tilde, team: Team) -> None:
    """Parts that are no multiple of anything, one large piece, and a single upload: the same object."""
    body = noise("cut", 40 * MIB + 12_345)
    sizes = [MIB, 16 * MIB, 7, 5 * MIB + 1, 17 * MIB]
    bounds = [0, *itertools.accumulate(sizes), len(body)]
    chunks = [body[a:b] for a, b in itertools.pairwise(bounds)]
    with team.repository.session() as session:
        whole = session.objects.put("whole", body)
        cut = session.objects.put("cut", Stream(chunks))
        assert cut.etag == whole.etag
        for first, last in ((0, 0), (MIB - 1, MIB), (16 * MIB - 3, 17 * MIB + 9), (40 * MIB, None)):
            part = session.objects.get("cut", byte_range=(first, last))
            stop = len(body) if last is None else last + 1
            assert part.read() == body[first:stop]
            assert part.content_range == f"bytes {first}-{stop - 1}/{len(body)}"
        session.commit("both")
    content = team.content()
    assert content["cut"] == content["whole"] == body


def test_an_upload_that_breaks_off_leaves_nothing(server: Tilde, team: Team) -> None:
    def broken():
        yield noise("broken", MULTIPART_BYTES)
        raise OSError("the disk is gone")

    calls = Calls(server)
    with calls.client.repository("my-team/my-data").session() as session:
        calls.seen.clear()
        with pytest.raises(OSError, match="the disk is gone"):
            session.objects.put("large", broken())
        assert calls.seen[-1] == "DELETE object/multipart"
        assert list(session.uncommitted()) == []


def test_a_put_replaces(team: Team) -> None:
    team.commit({"a": b"1"})
    with team.repository.session() as session:
        for body in (b"22", b"333", b"4"):
            session.objects.put("a", body)
            assert session.objects.get("a").read() == body
        session.commit("the last one counts")
    assert team.content() == {"a": b"4"}


ODD_PATHS = [
    "a b+c", "ä/ö/€", "%41", "a//b", "a/", "..", ".", "?x=1&y=2#z", "\t\n", "x" * 2048, "CON", "'\";--", "🧀",
]


def test_paths_are_kept_as_they_are(team: Team) -> None:
    with team.repository.session() as session:
        for path in ODD_PATHS:
            assert session.objects.put(path, path.encode()).path == path
        session.objects.copy("a b+c", "copy of a b+c")
        session.commit("odd")
    content = {path: path.encode() for path in ODD_PATHS} | {"copy of a b+c": b"a b+c"}
    assert team.content() == content
    assert [row["path"] for row in team.listing()] == sorted(content, key=str.encode)
    with team.repository.session() as session:
        assert session.objects.delete_many(list(content)) == len(content)
        session.commit("none")
    assert team.listing() == []


def test_paths_that_cannot_be(team: Team) -> None:
    with team.repository.session() as session:
        for path in ("", "x" * 2049, "a\0b"):
            for call in (
                lambda path=path: session.objects.put(path, b"1"),
                lambda path=path: session.objects.put(path, iter([b"1"])),
                lambda path=path: session.objects.delete(path),
                lambda path=path: session.objects.delete_many([path]),
                lambda path=path: session.objects.copy("a", path),
            ):
                with pytest.raises(BadRequestError):
                    call()
        assert list(session.uncommitted()) == []


def test_copies(team: Team) -> None:
    team.commit({"a": b"1", "large": noise("large", 3 * MIB)})
    with team.repository.session() as session:
        result = session.objects.copy("large", "d/large")
        assert (result.source_path, result.destination_path) == ("large", "d/large")
        session.objects.put("new", b"2")
        session.objects.copy("new", "a")
        session.objects.copy("a", "a")
        with pytest.raises(NotFoundError):
            session.objects.copy("nothing", "b")
        session.objects.delete("new")
        with pytest.raises(NotFoundError):
            session.objects.copy("new", "b")
        session.commit("copied")
    large = noise("large", 3 * MIB)
    assert team.content() == {"a": b"2", "large": large, "d/large": large}
    tags = {row["path"]: row["entry"]["e_tag"] for row in team.listing()}
    assert tags["large"] == tags["d/large"]


def test_deletions(team: Team) -> None:
    names = [f"d/{number:04}" for number in range(1001)]
    with team.repository.session() as session:
        session.objects.put(names[0], b"1")
        for name in names[1:]:
            session.objects.copy(names[0], name)
        session.objects.put("keep", b"1")
        session.commit("many")
    with team.repository.session() as session:
        for wrong in (names, []):
            with pytest.raises(BadRequestError):
                session.objects.delete_many(wrong)
        assert list(session.uncommitted()) == [], "refused as a whole"
        assert session.objects.delete_many(names[:1000]) == 1000
        session.objects.delete(names[1000])
        session.objects.delete("was/never/there")
        assert session.objects.delete_many(["was/never/there/either"]) == 1
        session.commit("few")
    assert team.content() == {"keep": b"1"}


def test_reading_a_commit_and_what_is_not_there(team: Team) -> None:
    commit = team.repository.commits.get(team.commit({"a/b": b"hello", "a/c": b"", "d": b"x" * 10}))
    objects = commit.objects
    assert [(row.path, row.type) for row in objects.list(delimiter="/")] == [("a/", "prefix"), ("d", "object")]
    entry = next(iter(objects.list(prefix="a/b"))).entry
    assert (entry.size, entry.content_type, entry.metadata) == (5, "application/octet-stream", {})
    assert entry.source_metadata is None
    assert entry.last_modified is not None
    with objects.get("a/b") as reader:
        assert (reader.content_length, reader.reproducible) == (5, True)
        assert reader.read() == reader.read() == b"hello"
    assert objects.get("d", byte_range=(2, 4)).read() == b"xxx"
    for call in (lambda: objects.get("a").read(), lambda: objects.head("a/"), lambda: objects.get("e").read()):
        with pytest.raises(NotFoundError):
            call()
    with pytest.raises(APIError) as refusal:
        objects.get("d", byte_range=(10, None)).read()
    assert refusal.value.status_code == 416


def test_large_listings_are_paged(team: Team) -> None:
    """Rows that are committed and rows that are staged, in one order."""
    names = [f"{number % 13:02}/{number:04}" for number in range(700)]
    with team.repository.session() as session:
        session.objects.put("seed", b"1")
        for name in names[:400]:
            session.objects.copy("seed", name)
        session.objects.delete("seed")
        session.commit("half")
    with team.repository.session() as session:
        session.objects.put("seed", b"1")
        for name in names[400:]:
            session.objects.copy("seed", name)
        session.objects.delete_many(["seed", *names[:100]])
        expected = sorted(names[100:])
        for page_size in (7, 100, 1000):
            assert [row.path for row in session.objects.list(page_size=page_size)] == expected
        folders = [f"{number:02}/" for number in range(13)]
        assert [row.path for row in session.objects.list(delimiter="/", page_size=2)] == folders
        session.commit("the other half")
    assert [row["path"] for row in team.listing()] == expected
