"""Fixtures: a fresh server for each test, S3 servers and one of Google's kind for the whole run.

Whatever a test does, afterwards the server must stop in order, must not have panicked, and `tilde check` must find its
data directory clean.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import tilde
from disk import Disk
from gcs import Gcs
from servers import BINARY, RADOSGW_PROGRAMS, S3, Moto, Radosgw, SlowProxy, Tilde
from work import Team


def pytest_configure() -> None:
    if not BINARY.is_file():
        pytest.exit(f"{BINARY} is missing: cargo build", returncode=2)


@pytest.fixture(scope="session")
def moto(tmp_path_factory):
    server = Moto(tmp_path_factory.mktemp("moto"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def radosgw(tmp_path_factory):
    missing = [p for p in RADOSGW_PROGRAMS if not shutil.which(p, path="/usr/bin:/usr/sbin:/usr/local/bin")]
    if missing:
        pytest.skip(f"radosgw is not installed (missing: {', '.join(missing)}); cargo xtask test --provision does it")
    try:
        server = Radosgw(tmp_path_factory.mktemp("radosgw"))
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"radosgw is installed and does not start: {error}")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gcs(tmp_path_factory):
    server = Gcs(tmp_path_factory.mktemp("gcs"))
    yield server
    server.stop()


@pytest.fixture(params=["moto", "radosgw"])
def s3(request) -> S3:
    """Each S3 server in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def slow():
    """Makes slow ways to S3 servers."""
    proxies: list[SlowProxy] = []

    def slow(target: str, delay: float, bytes_per_second: int = 0) -> SlowProxy:
        proxies.append(SlowProxy(target, delay, bytes_per_second))
        return proxies[-1]

    yield slow
    for proxy in proxies:
        proxy.stop()


@pytest.fixture
def disk_of(tmp_path):
    """Makes file systems of a size in MiB."""
    disks: list[Disk] = []

    def disk_of(mib: int) -> Disk:
        if os.geteuid() != 0:
            pytest.skip("it needs root, to mount a file system of its own")
        folder = tmp_path / f"disk-{len(disks)}"
        folder.mkdir()
        try:
            disks.append(Disk(folder, mib))
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"a file system of its own cannot be mounted here: {error}")
        return disks[-1]

    yield disk_of
    for disk in disks:
        disk.unmount()


@pytest.fixture
def start(tmp_path):
    """Starts servers, each on a data directory of its own; ends and judges them after the test."""
    servers: list[Tilde] = []

    def start(*flags: str, config: str = "", **env: str) -> Tilde:
        folder = tmp_path / f"server-{len(servers)}"
        folder.mkdir()
        servers.append(Tilde(folder, *flags, config=config, **env))
        return servers[-1].start()

    yield start
    for server in servers:
        if server.is_running():
            assert server.stop() == 0, server.log.read_text()
        log = server.log.read_text(errors="replace")
        assert "panicked" not in log, log
        checked = server.check()
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def server(start) -> Tilde:
    """A server without any configuration."""
    return start()


@pytest.fixture
def client(server) -> tilde.Client:
    """The public client, as the first user."""
    return tilde.Client(api_key=server.key, endpoint_url=server.url)


@pytest.fixture
def team(server, client) -> Team:
    """An organization with a repository."""
    return Team(server, client)
