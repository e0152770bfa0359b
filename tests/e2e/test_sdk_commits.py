"""History through the unmodified client: log, diff, revert, counts."""

from __future__ import annotations

import datetime

import pytest
import tilde
import tilde.models
from servers import Moto
from tilde.exceptions import BadRequestError, ConflictError, NotFoundError
from work import Team, good, refused


def statuses(rows) -> list[tuple[str, str]]:
    return [(row.path, row.status) for row in rows]


def ids(page: dict) -> list[str]:
    return [row["id"] for row in page["results"]]


def walk(team: Team, what: str, **query: object) -> list[dict]:
    """All rows, page by page; a page with more to come is never empty."""
    rows, after = [], None
    while True:
        page = good(team.http.get(what, params=query | ({"after": after} if after else {})))
        rows += page["results"]
        if not page["pagination"]["has_more"]:
            return rows
        assert page["results"], "an empty page ends the client's iteration"
        after = page["pagination"]["next_offset"]


def test_the_log_is_paged_newest_first(team: Team) -> None:
    made = [team.commit({"a": b"%d" % number}, message=f"number {number}") for number in range(7)]
    newest = made[::-1]
    commits = team.repository.commits
    for page_size in (1, 3, 7, 100):
        assert [row.id for row in commits.list(page_size=page_size)] == newest
    assert [row.message for row in commits.list(page_size=2, amount=3)] == ["number 6", "number 5", "number 4"]
    assert [row.id for row in commits.list(ref=made[3])] == newest[3:]
    assert [row.id for row in commits.list(ref=made[3][:12], page_size=1)] == newest[3:]
    assert [row.id for row in commits.list(after=made[3])] == newest[4:]
    dates = [row.creation_date for row in commits.list()]
    assert dates == sorted(dates, reverse=True)
    assert all(date.tzinfo is not None for date in dates)
    assert datetime.datetime.now(datetime.UTC) - dates[0] < datetime.timedelta(minutes=5)


def test_one_commit(team: Team) -> None:
    commit_id = team.commit({"a": b"12345", "b/c": b"678"}, message="one")
    for commit in (team.repository.commits.get(commit_id), tilde.models.Commit(
        team.client, "my-team", "my-data", id=commit_id
    )):
        assert (commit.message, commit.committer, commit.committer_type) == ("one", "admin", "user")
        assert (commit.parents, commit.metadata, commit.is_stale) == ([], {}, False)
        assert (commit.object_count, commit.total_size) == (2, 8)
    for missing in ("0" * 64, "0" * 12, "nonsense"):
        with pytest.raises(NotFoundError):
            team.repository.commits.get(missing)
    other = team.organization.repositories.create("other")
    with pytest.raises(NotFoundError):
        other.commits.get(commit_id)


def test_counts_follow_every_change(team: Team) -> None:
    made = [
        team.commit({f"d/{number}": b"x" * 10 for number in range(50)}),
        team.commit({"d/1": b"yy"}),
        team.commit({}, "d/2", "d/3"),
    ]
    counts = [(row.object_count, row.total_size) for row in map(team.repository.commits.get, made)]
    assert counts == [(50, 500), (50, 492), (48, 472)]


def test_the_log_of_a_path(team: Team) -> None:
    made = [
        team.commit({"a/1": b"1", "b/1": b"1"}),
        team.commit({"a/2": b"1"}),
        team.commit({"b/1": b"2"}),
        team.commit({"c": b"1"}),
        team.commit({"a/2": b"2"}, "a/1"),
        team.commit({"a": b"1"}),
    ]
    touched = {
        "prefix=a/": [4, 1, 0], "prefix=b": [2, 0], "prefix=a": [5, 4, 1, 0], "prefix=none": [],
        "object=a/1": [4, 0], "object=a/2": [4, 1], "object=b/1": [2, 0], "object=a": [5], "object=none": [],
    }
    for query, numbers in touched.items():
        name, _, value = query.partition("=")
        for amount in (1, 2, 100):
            assert [row["id"] for row in walk(team, "log", amount=amount, **{name: value})] == [
                made[number] for number in numbers
            ], query
    assert [row["id"] for row in walk(team, "log", object="b/1", ref=made[1])] == [made[0]]


def test_a_filtered_log_gets_past_many_commits_that_do_not_count(team: Team) -> None:
    first = team.commit({"wanted": b"1"})
    for number in range(150):
        team.commit({"other": b"%d" % number})
    last = team.commit({"wanted": b"2"})
    assert [row["id"] for row in walk(team, "log", object="wanted", amount=1)] == [last, first]
    assert [row["id"] for row in walk(team, "log", prefix="want", amount=100)] == [last, first]


def test_the_difference_a_commit_makes(team: Team) -> None:
    team.commit({"a": b"1", "b": b"1", "c/d": b"1"})
    second = team.repository.commits.get(team.commit({"a": b"2", "c/e": b"1"}, "b"))
    root = team.repository.commits.get(second.parents[0])
    assert statuses(root.diff()) == [("a", "added"), ("b", "added"), ("c/d", "added")]
    expected = [("a", "modified"), ("b", "removed"), ("c/e", "added")]
    assert statuses(second.diff()) == statuses(second.diff(page_size=1)) == expected
    assert statuses(second.diff(amount=2)) == expected[:2]
    assert statuses(second.diff(after="a")) == expected[1:]
    assert statuses(second.diff(prefix="c/")) == expected[2:]
    assert [(row.path, row.type) for row in second.diff(delimiter="/", page_size=1)] == [
        ("a", "object"), ("b", "object"), ("c/", "prefix")
    ]
    assert [row.entry.size for row in second.diff(prefix="a")] == [1]


def test_the_difference_of_any_two_states(team: Team) -> None:
    made = [
        team.commit({f"{number:03}": b"1" for number in range(120)}),
        team.commit({"000": b"2"}),
        team.commit({}, *[f"{number:03}" for number in range(100, 120)]),
    ]
    forth = walk(team, "diff", left=made[0], right=made[2], amount=7)
    assert [(row["path"], row["status"]) for row in forth] == [("000", "modified")] + [
        (f"{number:03}", "removed") for number in range(100, 120)
    ]
    back = walk(team, "diff", left=made[2], right=made[0])
    assert [row["status"] for row in back] == ["modified"] + ["added"] * 20
    assert walk(team, "diff", left=made[1], right=made[1][:10]) == []
    assert len(walk(team, "diff", right=made[0], amount=50)) == 120
    refused(team.http.get("diff"), 400)
    refused(team.http.get("diff", params={"left": made[0]}), 400)
    refused(team.http.get("diff", params={"left": made[0], "right": "0" * 64}), 404)


def test_a_revert_undoes_one_commit(team: Team) -> None:
    team.commit({"a": b"1", "b": b"1"}, message="begin")
    wrong = team.repository.commits.get(team.commit({"a": b"2", "c": b"2"}, "b", message="mistake"))
    team.commit({"d": b"3"}, message="after it")
    undone = wrong.revert()
    assert team.content() == {"a": b"1", "b": b"1", "d": b"3"}
    assert (undone.message, undone.committer) == ('Revert "mistake"', "admin")
    assert undone.parents == [row.id for row in team.repository.commits.list()][1:2]
    assert statuses(undone.diff()) == [("a", "modified"), ("b", "added"), ("c", "removed")]

    redone = undone.revert(message="it was right after all", metadata={"by": "test"})
    assert (redone.message, redone.metadata) == ("it was right after all", {"by": "test"})
    assert team.content() == {"a": b"2", "c": b"2", "d": b"3"}


def test_reverts_that_cannot_be(team: Team) -> None:
    root = team.repository.commits.get(team.commit({"a": b"1"}))
    with pytest.raises(BadRequestError):
        root.revert()
    second = team.repository.commits.get(team.commit({"a": b"2", "b": b"2"}))
    head = team.commit({"b": b"3"})
    with pytest.raises(ConflictError) as refusal:
        second.revert()
    assert "b" in refusal.value.message.replace(":", " ").replace(",", " ").replace('"', " ").split(), refusal.value
    missing = tilde.models.Commit(team.client, "my-team", "my-data", id="0" * 64)
    with pytest.raises(NotFoundError):
        missing.revert()
    assert [row.id for row in team.repository.commits.list(amount=1)] == [head]
    assert team.content() == {"a": b"2", "b": b"3"}


def test_history_is_not_changed_by_what_comes_later(team: Team) -> None:
    states = [{"a": b"1"}, {"a": b"2", "b": b"1"}, {"b": b"1"}]
    made = [team.commit(states[0]), team.commit(states[1]), team.commit({}, "a")]
    for commit, state in zip(made, states, strict=True):
        assert team.content(ref=commit) == state
        assert team.content(ref=commit[:16]) == state


def test_an_import_is_a_commit_among_others(team: Team, moto: Moto) -> None:
    """What an import brought is changed, copied and reverted like anything else, and remembers its source."""
    bucket = moto.bucket({"1": b"one", "2": b"two", "3": b"three"})
    team.commit({"mine": b"m"})
    job = team.run_import(team.connector(moto, f"s3://{bucket}/"), "in")
    with team.repository.session() as session:
        session.objects.put("in/1", b"changed")
        session.objects.copy("in/2", "copied")
        session.objects.delete("in/3")
        session.commit("changes")
    entries = {row["path"]: row["entry"] for row in team.listing()}
    assert set(entries) == {"copied", "in/1", "in/2", "mine"}
    assert "source_metadata" not in entries["in/1"], "it is not the source's object any more"
    assert entries["copied"]["source_metadata"] == entries["in/2"]["source_metadata"]
    assert entries["copied"]["source_metadata"]["source_path"] == f"s3://{bucket}/2"
    imported = team.repository.commits.get(job.commit_id)
    assert (imported.object_count, imported.total_size) == (4, 12)
    assert statuses(imported.diff()) == [("in/1", "added"), ("in/2", "added"), ("in/3", "added")]
    with pytest.raises(ConflictError):
        imported.revert()
    next(team.repository.commits.list()).revert()
    imported.revert()
    assert team.content() == {"mine": b"m"}
