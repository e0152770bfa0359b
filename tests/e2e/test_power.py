"""Power is cut in the middle of imports: what was acknowledged is there, and the rest goes on.

The data directory lies on a file system of its own, which is told to stop without writing what it still holds in
memory (the SHUTDOWN call of ext4, which its own crash tests use). That needs root and loop devices.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import random
import struct
import subprocess

import pytest
import tilde
from servers import Moto, Tilde, wait_until
from work import Team

ROUNDS = int(os.environ.get("POWER_CUTS", "2"))
COUNT = 300
OBJECTS = {f"{n:05}": (b"%d " % n) * (n if n else 3_000_000) for n in range(COUNT)}

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class Disk:
    """An ext4 file system in a file."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.image = folder / "disk.img"
        self.place = folder / "disk"
        self.place.mkdir()
        self._run("truncate", "--size", "4G", str(self.image))
        self._run("mkfs.ext4", "-q", str(self.image))
        self.mount()

    def _run(self, *words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, timeout=60)

    def mount(self) -> None:
        self._run("mount", "-o", "loop", str(self.image), str(self.place))

    def unmount(self) -> None:
        self._run("umount", str(self.place))

    def cut_power(self) -> None:
        place = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(place, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(place)


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a power cut needs root, to mount a file system of its own")
    try:
        disk = Disk(tmp_path)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"a file system of its own cannot be mounted here: {error}")
    yield disk
    disk.unmount()


@pytest.fixture
def server(disk: Disk):
    server = Tilde(disk.place).start()
    yield server
    if server.is_running():
        server.kill()


def client_of(server: Tilde) -> tilde.Client:
    return tilde.Client(api_key=server.key, endpoint_url=server.url)


def test_acknowledged_work_survives_a_power_cut(disk: Disk, server: Tilde, slow, moto: Moto) -> None:
    bucket = moto.bucket(OBJECTS)
    team = Team(server, client_of(server))
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=slow(moto.endpoint, 0.02).url)
    completed: dict[str, str] = {}
    for round_ in range(ROUNDS):
        first = team.run_import(connector, f"first-{round_}")
        completed[first.id] = first.commit_id
        cut = team.repository.imports.create_from_connector(connector.id, f"cut-{round_}")
        goal = random.randrange(COUNT)
        wait_until(lambda: cut.refresh().objects_imported >= goal, 60, f"{goal} objects")
        disk.cut_power()
        server.kill()
        disk.unmount()
        disk.mount()
        server.start()
        team.client = client_of(server)
        team.repository = team.client.repository("my-team/my-data")
        job = team.finish(team.repository.imports.get(cut.id))
        assert (job.status, job.objects_imported) == ("completed", COUNT), job.error
        completed[job.id] = job.commit_id
        for job_id, commit_id in completed.items():
            assert team.repository.imports.get(job_id).commit_id == commit_id
        log = [commit.id for commit in team.repository.commits.list()]
        assert log == list(reversed(completed.values())), "each import is one commit"
        checked = server.check()
        assert checked.returncode == 0, checked.stdout + checked.stderr
    assert server.stop() == 0
