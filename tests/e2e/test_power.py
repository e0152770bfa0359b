"""Power is cut in the middle of imports: what was acknowledged is there, and the rest goes on.

The data directory lies on a file system of its own, which is told to stop without writing what it still holds in
memory. That needs root and loop devices.
"""

from __future__ import annotations

import hashlib
import math
import os
import random
import time

import pytest
import tilde
from disk import Disk
from servers import Moto, Tilde, wait_until
from work import Team

ROUNDS = int(os.environ.get("POWER_CUTS", "2"))
SECONDS = float(os.environ.get("POWER_CUTS_SECONDS", math.inf))

# What fits on the disk.
LARGE_ROUNDS_MAX = 20

SMALL = {f"{n:05}": (b"%d " % n) * (n if n else 3_000_000) for n in range(300)}
# Each of several pieces, and all of them together more than one file of the store.
LARGE = {f"{n}": hashlib.shake_128(b"%d" % n).digest((20 + 7 * n) << 20) for n in range(4)}


@pytest.fixture
def disk(disk_of) -> Disk:
    return disk_of(4096)


@pytest.fixture
def server(disk: Disk):
    server = Tilde(disk.place).start()
    yield server
    if server.is_running():
        server.kill()


def client_of(server: Tilde) -> tilde.Client:
    return tilde.Client(api_key=server.key, endpoint_url=server.url)


@pytest.mark.parametrize(
    ("objects", "bytes_per_second"),
    [pytest.param(SMALL, 0, id="small"), pytest.param(LARGE, 24 << 20, id="large", marks=pytest.mark.long)],
)
def test_acknowledged_work_survives_a_power_cut(
    disk: Disk, server: Tilde, slow, moto: Moto, objects: dict[str, bytes], bytes_per_second: int
) -> None:
    bucket = moto.bucket(objects)
    total = sum(map(len, objects.values()))
    team = Team(server, client_of(server))
    proxy = slow(moto.endpoint, 0.02, bytes_per_second)
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=proxy.url)
    completed: dict[str, str] = {}
    began = time.monotonic()
    for round_ in range(min(ROUNDS, LARGE_ROUNDS_MAX) if bytes_per_second else ROUNDS):
        if round_ and time.monotonic() - began > SECONDS:
            break
        # Large ones are in place after the first round: the answer is the head, and the disk does not fill up.
        first = team.run_import(connector, "kept" if bytes_per_second else f"first-{round_}")
        completed[first.id] = first.commit_id
        proxy.bytes = 0
        cut = team.repository.imports.create_from_connector(connector.id, f"cut-{round_}")
        goal = random.random() * total
        wait_until(lambda: proxy.bytes >= goal, 60, f"{goal} bytes", 0.005)
        disk.cut_power()
        server.kill()
        disk.unmount()
        disk.mount()
        server.start()
        team.client = client_of(server)
        team.repository = team.client.repository("my-team/my-data")
        job = team.finish(team.repository.imports.get(cut.id))
        assert (job.status, job.objects_imported) == ("completed", len(objects)), job.error
        completed[job.id] = job.commit_id
        for job_id, commit_id in completed.items():
            assert team.repository.imports.get(job_id).commit_id == commit_id
        log = [commit.id for commit in team.repository.commits.list()]
        assert log == list(reversed(list(dict.fromkeys(completed.values())))), "each import is one commit"
        checked = server.check()
        assert checked.returncode == 0, checked.stdout + checked.stderr
    assert server.stop() == 0
