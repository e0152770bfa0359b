"""The process is killed, frozen, starved of disk, kept from its catalog: an import ends once, and nothing is lost."""

from __future__ import annotations

import hashlib
import sqlite3
import time

import pytest
import tilde
from servers import Moto, SlowProxy, Tilde, wait_until
from work import Team, good

SMALL = {f"small/{number:03}": b"%d " % number * 200 for number in range(500)}
LARGE_BYTES = 300 << 20
PIECE_BYTES = 16 << 20
BYTES_PER_SECOND = 16 << 20
# Of all bytes, that a kill may cost.
LOST_PERCENT_MAX = 5


def noise(seed: str, size: int) -> bytes:
    """Bytes that tell where they belong."""
    return hashlib.shake_128(seed.encode()).digest(size)


def client_of(server: Tilde) -> tilde.Client:
    return tilde.Client(api_key=server.key, endpoint_url=server.url)


def job_of(server: Tilde, job_id: str):
    return client_of(server).repository("my-team/my-data").imports.get(job_id)


def state(server: Tilde, job_id: str) -> dict:
    with server.http() as http:
        return good(http.get(f"organizations/my-team/repositories/my-data/import/{job_id}"))


def ended(server: Tilde, job_id: str, seconds: float = 300) -> dict:
    """The job at its end, asked for with patience."""
    return wait_until(
        lambda: (now := state(server, job_id))["status"] not in ("pending", "running") and now, seconds, "the import"
    )


def commits(server: Tilde) -> list[str]:
    return [commit.id for commit in client_of(server).repository("my-team/my-data").commits.list()]


def assert_object(server: Tilde, path: str, body: bytes) -> None:
    with server.http() as http:
        answer = http.get("organizations/my-team/repositories/my-data/object", params={"path": path})
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(body).digest(), path


# Killed.


@pytest.mark.parametrize("concurrency", [2, pytest.param(10, marks=pytest.mark.long)])
def test_what_is_durable_is_not_fetched_again_after_kills(start, slow, moto: Moto, concurrency: int) -> None:
    body = noise("large", LARGE_BYTES)
    bucket = moto.bucket(SMALL | {"large": body})
    server = start()
    team = Team(server, client_of(server))
    proxy: SlowProxy = slow(moto.endpoint, 0.02, BYTES_PER_SECOND)
    job = team.start(team.connector(moto, f"s3://{bucket}/", endpoint=proxy.url), concurrency=concurrency)
    total = LARGE_BYTES + sum(map(len, SMALL.values()))
    for share in (0.45, 0.9):
        wait_until(lambda: proxy.bytes > total * share, 240, f"{share} of the bytes", 0.005)
        assert state(server, job.id)["status"] == "running"
        server.kill()
        server.start()
    last = ended(server, job.id)
    assert (last["status"], last["objects_imported"]) == ("completed", len(SMALL) + 1), last
    again = proxy.bytes - total
    print(f"fetched again: {again} of {total} bytes, {100 * again / total:.1f} %")
    # Lost with the process is what came since the last checkpoint, however many pieces it belongs to.
    assert 100 * again <= 2 * LOST_PERCENT_MAX * total, f"{again} bytes of {total} were fetched again"
    assert commits(server) == [last["commit_id"]]
    assert_object(server, "large", body)
    assert_object(server, "small/499", SMALL["small/499"])


@pytest.mark.long
def test_killed_again_and_again(start, slow, moto: Moto) -> None:
    """What an interruption left behind is interrupted too; each time there is progress, so the job is not given up."""
    body = noise("large", 100 << 20)
    bucket = moto.bucket(SMALL | {"large": body})
    server = start()
    team = Team(server, client_of(server))
    proxy: SlowProxy = slow(moto.endpoint, 0.02)
    job = team.start(team.connector(moto, f"s3://{bucket}/", endpoint=proxy.url), concurrency=2)
    for _ in range(8):
        before = proxy.bytes
        wait_until(
            lambda: proxy.bytes > before + 4 * PIECE_BYTES or state(server, job.id)["status"] == "completed",
            120, "progress",
        )
        server.kill()
        server.start()
    last = ended(server, job.id)
    assert (last["status"], last["objects_imported"]) == ("completed", len(SMALL) + 1), last
    assert commits(server) == [last["commit_id"]]
    assert_object(server, "large", body)


# Frozen.


@pytest.mark.parametrize("seconds", [3, pytest.param(45, marks=pytest.mark.long)])
def test_a_server_is_frozen_for_a_while(start, slow, moto: Moto, seconds: int) -> None:
    """The longer one is longer than a lease (30 s): what wakes up then must take the job anew, or end it rightly."""
    body = noise("large", 40 << 20)
    bucket = moto.bucket(SMALL | {"large": body})
    server = start()
    team = Team(server, client_of(server))
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=slow(moto.endpoint, 0.05).url)
    job = team.start(connector, concurrency=4)
    wait_until(lambda: job.refresh().objects_imported >= 50, 60, "50 objects")
    assert job.status == "running"
    server.freeze()
    time.sleep(seconds)
    server.thaw()
    last = ended(server, job.id)
    assert (last["status"], last["objects_imported"]) == ("completed", len(SMALL) + 1), last
    assert commits(server) == [last["commit_id"]]
    assert_object(server, "large", body)


# Starved.


def test_the_disk_is_full(disk_of, moto: Moto) -> None:
    disk = disk_of(512)
    server = Tilde(disk.place).start()
    try:
        team = Team(server, client_of(server))
        kept = {"a": b"kept", "large": noise("kept", 5 << 20)}
        team.run_import(team.connector(moto, f"s3://{moto.bucket(kept)}/", name="kept"), "kept/")
        ballast = disk.occupy(free_mib=40)
        body = noise("too much", 120 << 20)
        connector = team.connector(moto, f"s3://{moto.bucket(SMALL | {'large': body})}/")
        failed = ended(server, team.start(connector, "more/").id)
        assert (failed["status"], "commit_id" in failed) == ("failed", False), failed
        assert "disk is full" in failed["error"]
        assert {path: len(bytes_) for path, bytes_ in team.content().items()} == {"kept/a": 4, "kept/large": 5 << 20}
        assert team.http.get("object", params={"path": "kept/large"}).content == kept["large"]

        ballast.unlink()
        assert team.http.post(f"import/{failed['id']}/retry").status_code == 202
        last = ended(server, failed["id"])
        assert (last["status"], last["objects_imported"]) == ("completed", len(SMALL) + 1), last
        assert commits(server)[0] == last["commit_id"]
        assert len(commits(server)) == 2
        assert_object(server, "more/large", body)
        assert server.stop() == 0
        checked = server.check()
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "panicked" not in server.log.read_text(errors="replace")
    finally:
        if server.is_running():
            server.kill()


# Kept from the catalog.


class Holder:
    """Another process's write transaction, which keeps the server from writing."""

    def __init__(self, server: Tilde) -> None:
        self.catalog = sqlite3.connect(server.data / "tilde.db", isolation_level=None, timeout=30)

    def __enter__(self) -> None:
        self.catalog.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self.catalog.execute("ROLLBACK")
        self.catalog.close()


@pytest.mark.parametrize("seconds", [5, pytest.param(25, marks=pytest.mark.long)])
def test_another_process_holds_the_catalog(start, slow, moto: Moto, seconds: int) -> None:
    """The longer one is longer than the server waits for one transaction, and shorter than a lease."""
    bucket = moto.bucket(SMALL)
    server = start()
    team = Team(server, client_of(server))
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=slow(moto.endpoint, 0.1).url)
    job = team.start(connector, concurrency=4)
    wait_until(lambda: job.refresh().objects_imported >= 50, 60, "50 objects")
    assert job.status == "running"
    with Holder(server):
        time.sleep(seconds)
    last = ended(server, job.id)
    assert (last["status"], last["objects_imported"]) == ("completed", len(SMALL)), last
    assert commits(server) == [last["commit_id"]]
    assert team.content() == SMALL


def test_reading_goes_on_while_another_process_holds_the_catalog(start, moto: Moto) -> None:
    server = start()
    team = Team(server, client_of(server))
    team.run_import(team.connector(moto, f"s3://{moto.bucket({'a': b'1'})}/"))
    key = server.add_user("reader")
    team.organization.members.create("reader")
    reader = server.http(key)
    with Holder(server):
        url = "organizations/my-team/repositories/my-data/object"
        assert reader.get(url, params={"path": "a"}, timeout=5).content == b"1"
