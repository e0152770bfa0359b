"""The examples of docs/reading.md, run as they stand, print what stands below them."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pandas
import pytest
import tilde
from servers import ROOT, Tilde, environment
from work import Team

DOCUMENT = ROOT / "docs" / "reading.md"
# Between the outputs of two examples of one language.
SEPARATOR = "\x1e"

TWO = [("2024-05-01", "north", 11.5), ("2024-05-01", "south", 17.0)]
THREE = [*TWO, ("2024-05-02", "north", 12.5)]


def examples(language: str) -> list[tuple[str, str]]:
    """Each example, and what it prints: the text that follows it."""
    fences = re.findall(r"^```([^\n]*)\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    found = []
    for (kind, code), following in zip(fences, [*fences[1:], ("", "")], strict=True):
        assert kind in ("sh", "sh setup", "python", "text"), kind
        if kind == language:
            found.append((code, following[1] if following[0] == "text" else ""))
    return found


def objects(rows: list[tuple]) -> dict[str, bytes]:
    frame = pandas.DataFrame(rows, columns=["day", "station", "celsius"])
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    return {"days.csv": frame.to_csv(index=False).encode(), "days.parquet": parquet.getvalue()}


@pytest.fixture
def weather(server: Tilde, client: tilde.Client) -> dict[str, str]:
    """The repository that the document speaks of; the variables it asks for."""
    team = Team(server, client, "my-team", "weather")
    commit = team.commit(objects(TWO), message="two measurements")
    team.commit(objects(THREE), message="a third measurement")
    return {"TILDE_ENDPOINT_URL": server.url, "TILDE_API_KEY": server.key, "COMMIT": commit}


def run(words: list[str], script: str, folder: os.PathLike[str], variables: dict[str, str]) -> list[str]:
    how = {"input": script, "capture_output": True, "text": True, "timeout": 120, "cwd": folder, "check": False}
    done = subprocess.run(words, env=environment(HOME=str(folder), **variables), **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split(SEPARATOR)[:-1]


def test_the_shell_examples(weather: dict[str, str], tmp_path) -> None:
    found = examples("sh")
    script = "set -eu\n" + "".join(f"{code}\nprintf '\\036'\n" for code, _ in found)
    printed = run(["bash"], script, tmp_path, weather)
    # A part of a file need not end with its line.
    assert [text.rstrip("\n") for text in printed] == [text.rstrip("\n") for _, text in found]


def test_the_python_examples(weather: dict[str, str], tmp_path) -> None:
    found = examples("python")
    script = "".join(f"{code}\nprint('{SEPARATOR}', end='')\n" for code, _ in found)
    printed = run([sys.executable, "-"], script, tmp_path, weather)
    assert printed == [text for _, text in found]


def test_what_the_document_says_of_the_client(server: Tilde, client: tilde.Client, weather: dict[str, str]) -> None:
    """If these fail with a newer client, the document has to change."""
    assert tilde.__version__ == "0.7.9"
    commit = client.repository("my-team/weather").commits.get(weather["COMMIT"])
    reader = commit.objects.get("days.csv")
    whole = reader.read()
    assert whole == objects(THREE)["days.csv"], "the head, not the commit"
    assert reader.read(1) == reader.read(1) == whole
