"""The command line on a real terminal: the progress bar of an import, and what Ctrl-C leaves behind."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time

import pytest
from servers import BINARY, environment

SECONDS_MAX = 60
COMMIT = re.compile(r"^[0-9a-f]{64}$")


class Terminal:
    """A program whose standard error is a terminal; its standard output is a pipe, as in `$(...)`."""

    def __init__(self, *words: str, **env: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [str(BINARY), *words],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            env=environment(TERM="xterm", COLUMNS="100", **env),
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""

    def read(self) -> bool:
        """Waits a moment for more; false once the program has closed its side."""
        ready, _, _ = select.select([self.master], [], [], 0.1)
        if not ready:
            return self.process.poll() is None
        try:
            more = os.read(self.master, 65536)
        except OSError:
            return False
        self.seen += more
        return bool(more)

    def until(self, text: bytes) -> None:
        end = time.monotonic() + SECONDS_MAX
        while text not in self.seen:
            assert self.read() and time.monotonic() < end, self.seen

    def end(self) -> tuple[int, str, str]:
        """Exit code, standard output, and all that was on the terminal."""
        end = time.monotonic() + SECONDS_MAX
        while self.read():
            assert time.monotonic() < end, self.seen
        assert self.process.stdout is not None
        output = self.process.stdout.read().decode()
        code = self.process.wait(SECONDS_MAX)
        os.close(self.master)
        return code, output, self.seen.decode()


@pytest.fixture
def slow_bucket(moto, slow, request):
    """A bucket of 40 objects that takes some seconds to read."""
    name = "terminal-" + request.node.name.replace("_", "-").lower()[-40:]
    moto.client.create_bucket(Bucket=name)
    for number in range(40):
        moto.client.put_object(Bucket=name, Key=f"data/{number:02}.bin", Body=os.urandom(50_000))
    return name, slow(moto.endpoint, 0.1, bytes_per_second=400_000)


def variables(team, proxy) -> dict[str, str]:
    return {
        "HOME": "/nonexistent",
        "TILDE_ENDPOINT_URL": team.server.url,
        "TILDE_API_KEY": team.server.key,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "testtest",
        "AWS_ENDPOINT_URL": proxy.url,
    }


def test_an_import_shows_a_bar_and_prints_the_commit(team, slow_bucket):
    name, proxy = slow_bucket
    words = ["import", f"s3://{name}/data/", "my-team/my-data/in/", "--wait"]
    terminal = Terminal(*words, **variables(team, proxy))
    code, output, shown = terminal.end()
    assert code == 0, shown
    assert COMMIT.match(output.strip()), output
    assert "\x1b" not in output
    assert re.search(r"\[[=> ]+\]", shown), shown
    assert re.search(r"copying: \d+ of 40 objects, [\d.]+ \w+ of 1.91 MiB", shown), shown
    assert re.search(r"[KM]iB/s", shown), shown
    assert "imported 40 objects (1.91 MiB)" in shown
    bars = shown.rsplit("imported 40 objects", 1)[1]
    assert "objects," not in bars, "the bar is taken away at the end"
    assert len(team.content()) == 40


def test_an_interrupt_leaves_the_import_running(team, slow_bucket):
    name, proxy = slow_bucket
    words = ["import", f"s3://{name}/data/", "my-team/my-data/in/", "--wait"]
    terminal = Terminal(*words, **variables(team, proxy))
    terminal.until(b"objects,")
    os.kill(terminal.process.pid, 2)
    code, output, shown = terminal.end()
    assert (code, output) == (130, ""), shown
    job = re.search(r"tilde import watch my-team/my-data (\S+)`", shown)
    assert job and "the import goes on" in shown, shown
    watched = subprocess.run(
        [str(BINARY), "import", "watch", "my-team/my-data", job[1]],
        capture_output=True,
        text=True,
        env=environment(**variables(team, proxy)),
        timeout=SECONDS_MAX,
    )
    assert watched.returncode == 0, watched.stderr
    assert COMMIT.match(watched.stdout.strip())
    assert "\x1b" not in watched.stdout + watched.stderr, "no bar where there is no terminal"
    assert len(team.content()) == 40


def test_no_color_and_quiet_leave_the_terminal_plain(team, slow_bucket):
    name, proxy = slow_bucket
    words = ["import", f"s3://{name}/data/", "my-team/my-data/in/", "--wait", "--quiet"]
    code, output, shown = Terminal(*words, **variables(team, proxy)).end()
    assert (code, shown) == (0, ""), shown
    assert COMMIT.match(output.strip())
    words = ["repository", "show", "my-team/nothing"]
    _, _, shown = Terminal(*words, **variables(team, proxy), NO_COLOR="1").end()
    assert "repository not found" in shown and "\x1b[3" not in shown, shown
