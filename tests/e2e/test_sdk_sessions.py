"""Sessions through the unmodified client: staged changes become one commit, or nothing."""

from __future__ import annotations

import pathlib
import threading
import uuid

import pytest
import tilde
from servers import Tilde
from tilde.exceptions import BadRequestError, ConflictError, NotFoundError
from work import Team, good, refused


def paths(rows) -> list[str]:
    return [row.path for row in rows]


def assert_ended(team: Team, session_id: str) -> None:
    """Whatever is asked of it."""
    session = team.repository.attach(session_id)
    for call in (
        lambda: session.commit("again"),
        session.rollback,
        lambda: list(session.uncommitted()),
        lambda: list(session.objects.list()),
        lambda: session.objects.get("a").read(),
        lambda: session.objects.head("a"),
        lambda: session.objects.put("b", b"late"),
        lambda: session.objects.put("b", iter([b"late"])),
        lambda: session.objects.copy("a", "b"),
        lambda: session.objects.delete("a"),
        lambda: session.objects.delete_many(["a"]),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_a_commit_has_everything_that_was_staged(team: Team) -> None:
    with team.repository.session() as session:
        assert str(uuid.UUID(session.session_id)) == session.session_id
        session.objects.put("data/a.csv", b"a,b\n")
        session.objects.put("data/b.csv", b"c,d\n")
        assert team.listing() == [], "nobody else sees it"
        commit_id = session.commit("two tables", metadata={"ticket": "T-1", "größe": "2"})
    commit = team.repository.commits.get(commit_id)
    assert (commit.message, commit.metadata, commit.parents) == ("two tables", {"ticket": "T-1", "größe": "2"}, [])
    assert (commit.committer, commit.committer_type, commit.is_stale) == ("admin", "user", False)
    assert str(uuid.UUID(commit.committer_id)) == commit.committer_id
    assert team.content() == {"data/a.csv": b"a,b\n", "data/b.csv": b"c,d\n"}
    assert [row.id for row in team.repository.commits.list()] == [commit_id]
    assert_ended(team, session.session_id)


def test_commit_result(team: Team) -> None:
    session = team.repository.session()
    session.objects.put("a", b"1")
    result = session.commit_result("one", metadata={"k": "v"})
    assert (result.status, result.web_url) == ("committed", None)
    assert team.repository.commits.get(result.commit_id).metadata == {"k": "v"}


def test_leaving_without_a_commit_leaves_nothing(team: Team) -> None:
    with team.repository.session() as session:
        session.objects.put("a", b"1")
    assert_ended(team, session.session_id)
    session = team.repository.session()
    session.objects.put("a", b"1")
    session.rollback()
    assert_ended(team, session.session_id)
    assert team.listing() == []
    assert list(team.repository.commits.list()) == []


def test_an_exception_leaves_nothing(team: Team) -> None:
    with pytest.raises(ZeroDivisionError), team.repository.session() as session:
        session.objects.put("a", b"1")
        print(1 / 0)
    assert_ended(team, session.session_id)
    assert team.listing() == []


def test_a_commit_that_conflicts_is_refused_and_the_session_rolled_back(team: Team) -> None:
    team.commit({"a": b"1", "b": b"1"})
    with pytest.raises(ConflictError) as refusal, team.repository.session() as session:
        session.objects.put("a", b"mine")
        session.objects.put("mine", b"mine")
        theirs = team.commit({"a": b"theirs"})
        session.commit("mine")
    assert "a" in refusal.value.message.replace(":", " ").replace(",", " ").replace('"', " ").split(), refusal.value
    assert refusal.value.request_id
    assert team.content() == {"a": b"theirs", "b": b"1"}
    assert [row.id for row in team.repository.commits.list(amount=1)] == [theirs]
    assert_ended(team, session.session_id)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (lambda o: o.put("a", b"2"), lambda o: o.delete("a")),
        (lambda o: o.delete("a"), lambda o: o.put("a", b"3")),
        (lambda o: o.put("new", b"2"), lambda o: o.put("new", b"3")),
        (lambda o: o.copy("b", "a"), lambda o: o.put("a", b"3")),
        (lambda o: o.delete_many(["a", "b"]), lambda o: o.put("b", b"3")),
    ],
)
def test_overlapping_paths_conflict(team: Team, mine, theirs) -> None:
    """A session that was refused is still open; it can be read, and rolled back."""
    team.commit({"a": b"1", "b": b"1"})
    session = team.repository.session()
    mine(session.objects)
    with team.repository.session() as other:
        theirs(other.objects)
        head = other.commit("theirs")
    for _ in range(2):
        with pytest.raises(ConflictError):
            session.commit("mine")
    assert list(session.uncommitted())
    session.rollback()
    assert [row.id for row in team.repository.commits.list(amount=1)] == [head]


def test_other_paths_do_not_conflict(team: Team) -> None:
    """Each commit is made on top of the present head, whatever was the head when its session began."""
    first = team.commit({"a": b"1", "d/a": b"1", "d/b": b"1"})
    sessions = [team.repository.session() for _ in range(4)]
    sessions[0].objects.put("a/b", b"2")
    sessions[1].objects.put("d/a", b"2")
    sessions[2].objects.delete("d/b")
    sessions[3].objects.copy("a", "d/c")
    ids = [session.commit(f"number {number}") for number, session in enumerate(sessions)]
    log = list(team.repository.commits.list())
    assert [row.id for row in log] == [*reversed(ids), first]
    assert [row.parents for row in log] == [[row.id] for row in log[1:]] + [[]]
    assert team.content() == {"a": b"1", "a/b": b"2", "d/a": b"2", "d/c": b"1"}
    assert [(row.path, row.status) for row in log[0].diff()] == [("d/c", "added")]


def test_one_reads_ones_own_writes(team: Team) -> None:
    team.commit({f"d/{n}": b"old" for n in range(4)} | {"top": b"old"})
    with team.repository.session() as session:
        objects = session.objects
        objects.put("d/1", b"changed")
        objects.put("d/15", b"new")
        objects.put("e/f", b"new")
        objects.delete("d/2")
        objects.delete("top")
        objects.copy("d/1", "copied")
        assert paths(objects.list()) == ["copied", "d/0", "d/1", "d/15", "d/3", "e/f"]
        assert paths(objects.list(page_size=1)) == paths(objects.list())
        assert [(row.path, row.type) for row in objects.list(delimiter="/", page_size=1)] == [
            ("copied", "object"), ("d/", "prefix"), ("e/", "prefix"),
        ]
        assert paths(objects.list(prefix="d/1")) == ["d/1", "d/15"]
        assert paths(objects.list(after="d/1", amount=2)) == ["d/15", "d/3"]
        sizes = {row.path: row.entry.size for row in objects.list()}
        assert sizes == {"copied": 7, "d/0": 3, "d/1": 7, "d/15": 3, "d/3": 3, "e/f": 3}
        assert objects.get("d/1").read() == objects.get("copied").read() == b"changed"
        assert objects.get("d/0").read() == b"old"
        assert objects.head("d/15").content_length == 3
        for gone in ("d/2", "top"):
            with pytest.raises(NotFoundError):
                objects.get(gone).read()
            with pytest.raises(NotFoundError):
                objects.head(gone)
        objects.put("d/2", b"back again")
        objects.delete("e/f")
        assert paths(objects.list(prefix="d/2")) == ["d/2"]
        assert paths(objects.list(delimiter="/")) == ["copied", "d/"]
        before = {path: objects.get(path).read() for path in paths(objects.list())}
        session.commit("done")
    assert team.content() == before


def test_what_others_commit_meanwhile_is_not_seen(team: Team) -> None:
    team.commit({"a": b"1", "b": b"1"})
    with team.repository.session() as session:
        session.objects.put("mine", b"1")
        team.commit({"a": b"2", "theirs": b"2"}, "b")
        assert paths(session.objects.list()) == ["a", "b", "mine"]
        assert session.objects.get("a").read() == b"1"
        session.commit("mine")
    assert team.content() == {"a": b"2", "mine": b"1", "theirs": b"2"}


def test_staged_changes_are_listed(team: Team) -> None:
    team.commit({f"old/{n}": b"1" for n in range(3)})
    session = team.repository.session()
    assert list(session.uncommitted()) == []
    new = [f"new/{n:02}" for n in range(25)]
    for path in new:
        session.objects.put(path, path.encode())
    session.objects.delete_many(["old/0", "old/2"])
    session.objects.copy("old/1", "new/copy")
    rows = list(session.uncommitted(page_size=4))
    assert paths(rows) == [*new, "new/copy", "old/0", "old/2"]
    assert [row.path for row in rows if row.entry is None] == ["old/0", "old/2"]
    assert all(row.entry.size == 6 and row.entry.e_tag for row in rows[:25])
    assert paths(session.uncommitted(prefix="old/")) == ["old/0", "old/2"]
    assert paths(session.uncommitted(page_size=4, amount=6)) == new[:6]
    assert paths(session.uncommitted(after="new/23")) == ["new/24", "new/copy", "old/0", "old/2"]
    session.objects.put("old/0", b"22")
    session.objects.delete("new/00")
    assert [row.entry.size for row in session.uncommitted(prefix="old/0")] == [2]
    assert "new/00" not in {row.path for row in session.objects.list()}
    session.rollback()


def test_a_session_is_attached_to_from_elsewhere(server: Tilde, team: Team) -> None:
    """From other threads, and by another member with a client of their own."""
    key = server.add_user("ann")
    team.organization.members.create("ann")
    session = team.repository.session()

    def work(number: int) -> None:
        client = tilde.Client(api_key=key if number % 2 else server.key, endpoint_url=server.url)
        attached = client.repository("my-team/my-data").attach(session.session_id)
        for count in range(5):
            attached.objects.put(f"{number}/{count}", f"{number} {count}".encode())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(session.uncommitted())) == 40
    session.commit("together")
    assert team.content() == {f"{n}/{c}": f"{n} {c}".encode() for n in range(8) for c in range(5)}


def test_commits_that_say_or_change_nothing_are_refused(team: Team) -> None:
    team.commit({"a": b"1"})
    session = team.repository.session()
    with pytest.raises(BadRequestError) as refusal:
        session.commit("nothing")
    assert refusal.value.code == "NO_CHANGES"
    session.objects.delete("was/never/there")
    with pytest.raises(BadRequestError) as refusal:
        session.commit("nothing")
    assert refusal.value.code == "NO_CHANGES"
    session.objects.put("b", b"2")
    with pytest.raises(BadRequestError):
        session.commit("")
    session.commit("something")
    assert len(list(team.repository.commits.list())) == 2


def test_sessions_that_are_not_there(team: Team) -> None:
    other = team.organization.repositories.create("other")
    mine = other.session()
    for session_id in (str(uuid.uuid4()), mine.session_id):
        assert_ended(team, session_id)
    mine.rollback()
    refused(team.http.get("objects", params={"session_id": str(uuid.uuid4()), "ref": "0" * 64}), 400)
    refused(team.http.get("changes"), 400)


def test_nobody_has_to_approve(team: Team) -> None:
    """Clients ask after a commit whether it still waits: it never does."""
    session = team.repository.session()
    session.objects.put("a", b"1")
    session.commit("done")
    assert team.http.head(f"sessions/{session.session_id}/approve").status_code == 404


def test_the_difference_a_session_makes(team: Team) -> None:
    team.commit({"a": b"1", "b": b"1", "c/d": b"1"})
    with team.repository.session() as session:
        session.objects.put("a", b"2")
        session.objects.delete("b")
        session.objects.put("c/e", b"3")
        query = {"session_id": session.session_id}
        rows = good(team.http.get("diff", params=query))["results"]
        assert [(row["path"], row["status"]) for row in rows] == [
            ("a", "modified"), ("b", "removed"), ("c/e", "added")
        ]
        page = good(team.http.get("diff", params=query | {"amount": 2}))
        assert page["pagination"]["has_more"] is True
        after = page["pagination"]["next_offset"]
        rest = good(team.http.get("diff", params=query | {"amount": 2, "after": after}))
        assert [row["path"] for row in page["results"] + rest["results"]] == ["a", "b", "c/e"]
        only = good(team.http.get("diff", params=query | {"prefix": "c/"}))["results"]
        assert [row["path"] for row in only] == ["c/e"]


def test_a_deleted_repository_ends_its_sessions(team: Team) -> None:
    session = team.repository.session()
    session.objects.put("a", b"1")
    team.repository.delete()
    with pytest.raises(NotFoundError):
        session.commit("too late")


def test_what_is_staged_survives_a_kill(server: Tilde, team: Team) -> None:
    """Everything that was acknowledged is there after the restart, and is committed as if nothing had happened."""
    team.commit({"old": b"1", "gone": b"1"})
    session = team.repository.session()
    bodies = {"small": b"s" * 1000, "large": b"l" * (3 << 20), "parts": b"p" * (2 << 20), "empty": b""}
    for path, body in bodies.items():
        session.objects.put(path, iter([body]) if path == "parts" else body)
    session.objects.copy("small", "copy")
    session.objects.delete("gone")
    server.kill()
    server.start()
    team = Team.again(server)
    session = team.repository.attach(session.session_id)
    assert paths(session.uncommitted()) == ["copy", "empty", "gone", "large", "parts", "small"]
    assert session.objects.get("large").read() == bodies["large"]
    session.objects.put("late", b"after the restart")
    session.commit("both halves")
    expected = bodies | {"old": b"1", "copy": bodies["small"], "late": b"after the restart"}
    assert team.content() == expected


def memory_bytes(server: Tilde) -> int:
    assert server.process is not None
    lines = pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))


def test_a_hundred_thousand_staged_changes(server: Tilde, team: Team) -> None:
    team.commit({"a": b"1", "z": b"1"})
    session = team.repository.session()
    before = memory_bytes(server)
    names = [f"m/{number:06}" for number in range(100_000)]
    for first in range(0, len(names), 1000):
        assert session.objects.delete_many(names[first : first + 1000]) == 1000
    session.objects.put("m/new", b"1")
    assert paths(session.objects.list()) == ["a", "m/new", "z"]
    assert paths(session.uncommitted(after="m/099997")) == ["m/099998", "m/099999", "m/new"]
    assert sum(1 for _ in session.uncommitted(page_size=1000)) == 100_001
    session.commit("all of them")
    grown = memory_bytes(server) - before
    assert grown < 100 << 20, f"{grown >> 20} MiB more"
    assert paths(team.repository.commits.get(team.commit({"b": b"1"})).objects.list()) == ["a", "b", "m/new", "z"]
