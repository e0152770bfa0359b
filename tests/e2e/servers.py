"""The programs under test and beside it: the real `tilde serve`, a mock S3 server (moto), a real one (Ceph radosgw).

Each listens on a free port of the loopback address, writes only into the folder it is given, and is stopped by the
fixture that started it.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

import boto3
import botocore.config
import httpx

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("TILDE_BINARY", ROOT / "target" / "debug" / "tilde"))

# The credentials of the documentation's examples: valid on radosgw, ignored by moto.
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

START_SECONDS_MAX = 60


def wait_until(condition, seconds: float, what: str, period: float = 0.05):
    """The first true result of `condition`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still waiting for {what}")
        time.sleep(period)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(**extra: str) -> dict[str, str]:
    """An environment without anything that could point a program at another server or account."""
    ours = ("TILDE", "AWS_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return clean | extra


def run_tilde(*arguments: object, stdin: str | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs a subcommand to its end."""
    words = [str(BINARY), *map(str, arguments)]
    env = environment(**extra)
    return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=300, env=env, check=False)


class Tilde:
    """A server on a data directory; can be stopped, killed and started again."""

    def __init__(self, folder: pathlib.Path, *flags: str, config: str = "", **env: str) -> None:
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.flags = flags
        self.env = env
        self.config = folder / "tilde.yaml"
        self.config.write_text(config)
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> Tilde:
        words = [str(BINARY), "serve", "--config", str(self.config), "--data-dir", str(self.data)]
        words += ["--listen", "127.0.0.1:0", *self.flags]
        log = self.log.open("ab")
        seen = self.log.stat().st_size
        self.process = subprocess.Popen(words, stdout=log, stderr=log, env=environment(**self.env))

        def address() -> str | None:
            assert self.process is not None
            text = self.log.read_bytes()[seen:].decode(errors="replace")
            assert self.process.poll() is None, f"the server ended:\n{text}"
            found = re.search(r"^listening on (http\S+)", text, re.MULTILINE)
            return found and found[1]

        self.url = wait_until(address, START_SECONDS_MAX, "the server to listen")
        return self

    @property
    def key(self) -> str:
        """The API key of the first user."""
        return (self.data / "admin.key").read_text().strip()

    @property
    def api(self) -> str:
        return f"{self.url}/api/v1"

    def http(self, key: str | None = None) -> httpx.Client:
        """A raw client; requests are relative to the API's base path."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.api, headers=headers, timeout=60)

    def admin(self, *arguments: str, stdin: str | None = None) -> str:
        done = run_tilde("admin", *arguments, "--config", self.config, "--data-dir", self.data, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def add_user(self, name: str) -> str:
        """A new user's API key."""
        self.admin("user", "add", name)
        return self.admin("key", "create", "--user", name)

    def check(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_tilde("check", *arguments, "--config", self.config, "--data-dir", self.data)

    def kill(self) -> None:
        """As a power cut: no chance to say anything."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """It does nothing any more and does not know it, until `thaw`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """In order; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class S3:
    """An S3 server and the means to fill it."""

    kind = "s3"

    def __init__(self, name: str, endpoint: str, checks_signatures: bool) -> None:
        self.name = name
        self.endpoint = endpoint
        self.checks_signatures = checks_signatures
        config = botocore.config.Config(
            s3={"addressing_style": "path"},
            parameter_validation=False,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self.client = boto3.client(
            "s3", endpoint_url=endpoint, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1", config=config,
        )

    def bucket(self, objects: dict[str, bytes], name: str | None = None) -> str:
        """A bucket with exactly these objects; its name."""
        name = name or f"bucket-{uuid.uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name)
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=name)
        for key in [row["Key"] for page in pages for row in page.get("Contents", [])]:
            self.client.delete_object(Bucket=name, Key=key)
        for key, body in objects.items():
            self.client.put_object(Bucket=name, Key=key, Body=body)
        return name

    def config(self, **changes: str) -> dict[str, str]:
        """A connector's config that reaches it."""
        config = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "endpoint": self.endpoint}
        return config | changes


class Moto(S3):
    """The mock: quick to start, accepts any credentials."""

    def __init__(self, folder: pathlib.Path) -> None:
        port = free_port()
        program = pathlib.Path(sys.executable).with_name("moto_server")
        with (folder / "moto.log").open("wb") as log:
            words = [str(program), "-H", "127.0.0.1", "-p", str(port)]
            self.process = subprocess.Popen(words, stdout=log, stderr=log, env=environment())
        super().__init__("moto", f"http://127.0.0.1:{port}", checks_signatures=False)
        wait_until(lambda: answers(self.endpoint), START_SECONDS_MAX, "moto")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=2)
    except httpx.HTTPError:
        return False
    return True


RADOSGW_PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")

CEPH_CONF = """\
[global]
fsid = {fsid}
keyring = {folder}/keyring
run dir = {folder}
crash dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
mon host = 127.0.0.1:{mon_port}
mon initial members = a
mon data = {folder}/mon
public network = 127.0.0.0/8
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
mon allow pool size one = true
# A nearly full disk of the machine must not stop a store that rests in memory.
mon osd full ratio = .99
mon data avail crit = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd max object name len = 256
osd max object namespace len = 64
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw enable usage log = false
rgw enable ops log = false
"""


class Radosgw(S3):
    """Ceph's S3 server over one monitor and one store in memory: it checks every signature."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        port, mon_port, fsid = free_port(), free_port(), str(uuid.uuid4())
        text = CEPH_CONF.format(folder=folder, fsid=fsid, port=port, mon_port=mon_port)
        (folder / "ceph.conf").write_text(text)
        try:
            self._monitor(f"127.0.0.1:{mon_port}", fsid)
            self._store()
            self._spawn("radosgw", "-n", "client.rgw", "-f")
            wait_until(lambda: answers(f"http://127.0.0.1:{port}"), START_SECONDS_MAX, "radosgw")
            self._run(
                "radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=test", "--display-name=test",
                f"--access-key={ACCESS_KEY}", f"--secret={SECRET_KEY}",
            )
        except BaseException:
            self.stop()
            raise
        super().__init__("radosgw", f"http://127.0.0.1:{port}", checks_signatures=True)

    def _words(self, program: str, *arguments: str) -> list[str]:
        found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")
        assert found is not None
        return [found, *arguments]

    def _run(self, program: str, *arguments: str) -> str:
        words = self._words(program, "-c", str(self.folder / "ceph.conf"), *arguments)
        done = subprocess.run(words, capture_output=True, text=True, timeout=90, env=environment(), check=False)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def _spawn(self, program: str, *arguments: str) -> None:
        words = self._words(program, "-c", str(self.folder / "ceph.conf"), *arguments)
        with (self.folder / f"{program}.out").open("wb") as log:
            self.processes.append(subprocess.Popen(words, stdout=log, stderr=log, env=environment()))

    def _plain(self, program: str, *arguments: str) -> None:
        subprocess.run(self._words(program, *arguments), check=True, capture_output=True, timeout=60)

    def _monitor(self, address: str, fsid: str) -> None:
        keyring, monmap = str(self.folder / "keyring"), str(self.folder / "monmap")
        self._plain("monmaptool", "--create", "--add", "a", address, "--fsid", fsid, monmap)
        everything = ["--cap", "mon", "allow *"]
        self._plain("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", *everything)
        for name in ("client.admin", "client.rgw"):
            caps = [*everything, "--cap", "osd", "allow *"]
            self._plain("ceph-authtool", keyring, "--gen-key", "-n", name, *caps)
        (self.folder / "mon").mkdir()
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", keyring)
        self._spawn("ceph-mon", "-i", "a", "-f")
        self._run("ceph", "--connect-timeout", "60", "status")

    def _store(self) -> None:
        name = str(uuid.uuid4())
        number = self._run("ceph", "osd", "new", name)
        caps = ["mon", "allow profile osd", "osd", "allow *"]
        key = self._run("ceph", "auth", "get-or-create", f"osd.{number}", *caps)
        with (self.folder / "keyring").open("a") as keyring:
            keyring.write(f"\n{key}\n")
        (self.folder / "osd").mkdir()
        self._run("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", name)
        self._run("ceph", "osd", "crush", "add", f"osd.{number}", "1.0", "root=default", "host=localhost")
        self._spawn("ceph-osd", "-i", number, "-f")

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


class SlowProxy:
    """A way to an S3 server on which every request takes at least `delay` seconds. It counts what comes back, and lets
    no more than so many bytes through in a second if it is told so.
    """

    def __init__(self, target: str, delay: float, bytes_per_second: int = 0) -> None:
        host, port = target.removeprefix("http://").split(":")
        self.target = (host, int(port))
        self.delay = delay
        self.bytes = 0
        self.bytes_per_second = bytes_per_second
        self.next_at = time.monotonic()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                return
            ways = ((client, server, self.delay, False), (server, client, 0, True))
            for way in ways:
                threading.Thread(target=self._pump, args=way, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, delay: float, is_answer: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                time.sleep(delay + (self._turn(len(data)) if is_answer else 0))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            sink.close()

    def _turn(self, length: int) -> float:
        """Seconds until so many bytes may pass."""
        with self.lock:
            self.bytes += length
            now = time.monotonic()
            at = max(now, self.next_at)
            if self.bytes_per_second:
                self.next_at = at + length / self.bytes_per_second
            return at - now

    def stop(self) -> None:
        self.listener.close()
