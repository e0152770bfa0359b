"""Many writers commit to one repository at once: what was acknowledged is one unbroken chain, whatever happens."""

from __future__ import annotations

import collections
import random
import threading
import time

import pytest
import tilde
from servers import Tilde, wait_until
from tilde.exceptions import ConflictError, TransportError
from work import Team, good

WRITERS = 64
# Paths that all write to, now and then; everything else is a path of one's own.
SHARED = [f"shared/{number}" for number in range(8)]
SHARED_PERCENT = 25


class Writers:
    """Threads, each with a client of its own, that commit until they are stopped or nobody answers."""

    def __init__(self, server: Tilde) -> None:
        self.server = server
        self.round = 0
        self.stop = threading.Event()
        self.may_break = False
        self.lock = threading.Lock()
        # Message of each acknowledged commit by its id, and what each message put.
        self.acknowledged: dict[str, str] = {}
        self.attempted: dict[str, dict[str, bytes]] = {}
        self.conflicts: list[tuple[str, str]] = []
        self.problems: list[BaseException] = []
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        self.round += 1
        self.stop.clear()
        self.threads = [threading.Thread(target=self._write, args=(n,)) for n in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        assert not self.problems, self.problems[:3]

    def _write(self, writer: int) -> None:
        chance = random.Random(f"{self.round} {writer}")
        try:
            with tilde.Client(api_key=self.server.key, endpoint_url=self.server.url) as client:
                repository = client.repository("my-team/my-data")
                count = 0
                while not self.stop.is_set():
                    self._commit(repository, f"{self.round}/{writer}/{count}", chance)
                    count += 1
        except TransportError as broken:
            # Killed. Whether the last commit has been made is for the server to know.
            if not self.may_break:
                self.problems.append(broken)
        except BaseException as problem:
            self.problems.append(problem)

    def _commit(self, repository, message: str, chance: random.Random) -> None:
        puts = {f"own/{message}": message.encode()}
        if chance.randrange(100) < SHARED_PERCENT:
            puts[chance.choice(SHARED)] = message.encode()
        with self.lock:
            self.attempted[message] = puts
        try:
            with repository.session() as session:
                for path, body in puts.items():
                    session.objects.put(path, body)
                commit = session.commit(message)
        except ConflictError as refusal:
            with self.lock:
                self.conflicts.append((message, refusal.message))
        else:
            with self.lock:
                self.acknowledged[commit] = message


def chain(team: Team) -> list[dict]:
    """All commits from the head on, by their parents, oldest first."""
    log, after = [], None
    while True:
        page = good(team.http.get("log", params={"amount": 1000} | ({"after": after} if after else {})))
        log += page["results"]
        if not page["pagination"]["has_more"]:
            break
        after = page["pagination"]["next_offset"]
    for commit, parent in zip(log, log[1:], strict=False):
        assert commit["parents"] == [parent["id"]]
    assert log[-1]["parents"] == []
    return log[::-1]


def assert_whole(team: Team, writers: Writers) -> list[dict]:
    """Every acknowledged commit is in the chain, once, and nothing but what was attempted; the head is their sum."""
    log = chain(team)
    assert len({commit["id"] for commit in log}) == len(log)
    there = {commit["id"]: commit["message"] for commit in log}
    lost = writers.acknowledged.keys() - there.keys()
    assert not lost, f"{len(lost)} of {len(writers.acknowledged)} acknowledged commits are lost"
    assert all(there[commit] == message for commit, message in writers.acknowledged.items())
    repeated = [message for message, count in collections.Counter(there.values()).items() if count > 1]
    assert not repeated
    content: dict[str, bytes] = {}
    for commit in log:
        content |= writers.attempted[commit["message"]]
        assert (commit["object_count"], commit["total_size"]) == (len(content), sum(map(len, content.values())))
    rows = team.listing(amount=1000)
    assert {row["path"]: row["entry"]["size"] for row in rows} == {p: len(b) for p, b in content.items()}
    for path in [*SHARED, *random.Random(1).sample(sorted(content), min(50, len(content)))]:
        if path in content:
            assert team.http.get("object", params={"path": path}).content == content[path], path
    print(f"{len(log)} commits, {len(writers.conflicts)} conflicts")
    return log


@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.long)])
def test_every_acknowledged_commit_is_in_one_chain(server: Tilde, team: Team, seconds: int) -> None:
    writers = Writers(server)
    writers.start()
    time.sleep(seconds)
    writers.join()
    log = assert_whole(team, writers)
    assert {commit["id"] for commit in log} == set(writers.acknowledged), "nothing but what was acknowledged"
    assert len(log) >= WRITERS
    assert writers.conflicts, "writers who write the same must get into each other's way"
    for message, refusal in writers.conflicts:
        shared = [path for path in writers.attempted[message] if path in SHARED]
        assert shared and shared[0] in refusal, f"{message}: only what others wrote too is in conflict: {refusal}"
    checked = server.check()
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.long)])
def test_every_acknowledged_commit_survives_a_kill(server: Tilde, team: Team, rounds: int) -> None:
    writers = Writers(server)
    writers.may_break = True
    for _ in range(rounds):
        goal = len(writers.acknowledged) + 150
        writers.start()
        wait_until(lambda goal=goal: len(writers.acknowledged) >= goal, 60, "150 commits more")
        server.kill()
        writers.join()
        server.start()
        team = Team.again(server)
        log = assert_whole(team, writers)
        # At most one commit of each writer was made without its being told.
        assert len(log) - len(writers.acknowledged) <= WRITERS * writers.round
    after = team.commit({"after": b"1"})
    assert chain(team)[-1]["id"] == after
