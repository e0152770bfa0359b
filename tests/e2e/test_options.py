"""Imports with options: mirrors, globs, trials, what cannot be read; watched, listed, canceled and retried."""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from servers import SECRET_KEY, Moto, Radosgw, environment, wait_until
from work import Team, good, refused

COUNT = 20
KEYS = [f"d/{number:02}" for number in range(COUNT)]


@pytest.fixture
def bucket(moto: Moto) -> str:
    return moto.bucket({key: key.encode() for key in KEYS})


@pytest.fixture
def filled(team: Team, moto: Moto, bucket: str):
    """A connector through which everything was imported, into `in/`."""
    connector = team.connector(moto, f"s3://{bucket}/")
    team.run_import(connector, "in/")
    return connector


def run(team: Team, connector, destination: str = "in/", **options: object) -> dict:
    """An import to its end, whatever that is."""
    return team.status(team.finish(team.start(connector, destination, **options)))


def paths(team: Team) -> list[str]:
    return [row["path"] for row in team.listing()]


def head(team: Team) -> str:
    return next(iter(team.repository.commits.list())).id


def changes(team: Team, job: dict, amount: int) -> list[tuple[str, str, int]]:
    """All pages of what a dry run found."""
    rows: list[tuple[str, str, int]] = []
    query: dict[str, object] = {"amount": amount}
    while True:
        page = good(team.http.get(f"import/{job['id']}/changes", params=query))
        assert len(page["results"]) <= amount
        rows += [(row["path"], row["status"], row["size"]) for row in page["results"]]
        if not page["pagination"]["has_more"]:
            return rows
        query["after"] = page["pagination"]["next_offset"]


# Mirrors.


def test_a_mirror_deletes_what_the_source_no_longer_has(team: Team, moto: Moto, bucket: str, filled) -> None:
    other = moto.bucket({"beside": b"stays"})
    team.run_import(team.connector(moto, f"s3://{other}/", name="other"), "elsewhere/")
    moto.client.delete_object(Bucket=bucket, Key=KEYS[3])
    moto.client.put_object(Bucket=bucket, Key=KEYS[4], Body=b"changed")
    moto.client.put_object(Bucket=bucket, Key="d/new", Body=b"new")
    job = run(team, filled, mode="mirror")
    assert (job["status"], job["objects_deleted"], job["objects_imported"]) == ("completed", 1, COUNT), job
    assert job["objects_unchanged"] == COUNT - 2
    assert paths(team) == ["elsewhere/beside", *[f"in/{key}" for key in KEYS if key != KEYS[3]], "in/d/new"]
    left = team.http.get("diff", params={"left": next_parent(team), "right": head(team)})
    assert {(row["path"], row["status"]) for row in good(left)["results"]} == {
        (f"in/{KEYS[3]}", "removed"), (f"in/{KEYS[4]}", "modified"), ("in/d/new", "added")
    }
    again = run(team, filled, mode="mirror")
    assert (again["commit_id"], again["objects_deleted"]) == (job["commit_id"], 0)


def next_parent(team: Team) -> str:
    return next(iter(team.repository.commits.list())).parents[0]


def test_a_mirror_does_not_empty_a_repository_by_accident(team: Team, moto: Moto, bucket: str, filled) -> None:
    before = head(team)
    for key in KEYS[: COUNT * 3 // 10]:
        moto.client.delete_object(Bucket=bucket, Key=key)
    job = run(team, filled, mode="mirror")
    assert (job["status"], "commit_id" in job, job["max_delete_percent"]) == ("failed", False, 25)
    for said in ("6 of the 20", "max_delete_percent", "25"):
        assert said in job["error"], job["error"]
    assert (head(team), len(paths(team))) == (before, COUNT), "nothing happened"

    tried = run(team, filled, mode="mirror", dry_run=True)
    assert tried["status"] == "completed"
    assert tried["preview"]["removed"]["objects"] == 6
    assert "max_delete_percent" in tried["preview"]["refusal"]

    job = run(team, filled, mode="mirror", max_delete_percent=100)
    assert (job["status"], job["objects_deleted"]) == ("completed", 6), job
    assert paths(team) == [f"in/{key}" for key in KEYS[6:]]


def test_a_mirror_of_nothing(team: Team, moto: Moto, filled) -> None:
    empty = moto.bucket({})
    connector = team.connector(moto, f"s3://{empty}/", name="empty")
    assert run(team, connector, mode="mirror")["status"] == "failed"
    assert len(paths(team)) == COUNT
    job = run(team, connector, mode="mirror", max_delete_percent=100)
    assert (job["status"], job["objects_deleted"]) == ("completed", COUNT), job
    assert paths(team) == []


# Globs.


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({"include": ["*.csv"]}, ["a.csv", "d/a.csv", "d/e/a.csv"]),
        ({"include": ["d/*.csv"]}, ["d/a.csv"]),
        ({"include": ["/*"]}, ["a.csv", "b.json"]),
        ({"exclude": ["d/**"]}, ["a.csv", "b.json", "tmp/x.csv.part"]),
        ({"include": ["*.csv", "*.json"], "exclude": ["d/e/**"]}, ["a.csv", "b.json", "d/a.csv"]),
        ({"include": ["**/*.{part,json}"]}, ["b.json", "tmp/x.csv.part"]),
        ({"include": ["*.CSV"]}, []),
        ({"include": [], "exclude": []}, ["a.csv", "b.json", "d/a.csv", "d/e/a.csv", "tmp/x.csv.part"]),
    ],
)
def test_globs(team: Team, moto: Moto, options: dict, taken: list[str]) -> None:
    keys = ["a.csv", "b.json", "d/a.csv", "d/e/a.csv", "tmp/x.csv.part"]
    connector = team.connector(moto, f"s3://{moto.bucket({f'p/{key}': key.encode() for key in keys})}/p/")
    job = run(team, connector, "in", **options)
    assert (job["status"], job["objects_imported"]) == ("completed", len(taken)), job
    assert paths(team) == [f"in/{path}" for path in taken]


# Trials.


def test_a_dry_run_says_what_would_change_and_changes_nothing(team: Team, moto: Moto, bucket: str, filled) -> None:
    before = head(team)
    moto.client.put_object(Bucket=bucket, Key="d/new", Body=b"new")
    moto.client.put_object(Bucket=bucket, Key=KEYS[1], Body=b"longer than before")
    moto.client.delete_object(Bucket=bucket, Key=KEYS[2])
    for mode, removed in (("overlay", 0), ("mirror", 1)):
        job = run(team, filled, mode=mode, dry_run=True)
        assert (job["status"], job["dry_run"], "commit_id" in job) == ("completed", True, False), job
        assert job["preview"] == {
            "added": {"objects": 1, "bytes": 3},
            "modified": {"objects": 1, "bytes": 18},
            "removed": {"objects": removed, "bytes": 4 * removed},
            "unchanged": {"objects": COUNT - 2, "bytes": 4 * (COUNT - 2)},
            "refusal": None,
        }
        rows = [(f"in/{KEYS[1]}", "modified", 18), (f"in/{KEYS[2]}", "removed", 4), ("in/d/new", "added", 3)]
        rows = [row for row in rows if removed or row[1] != "removed"]
        for amount in (1, 2, 1000):
            assert changes(team, job, amount) == rows
        assert head(team) == before
    assert len(list(team.repository.commits.list())) == 1


def test_pages_of_many_changes(team: Team, moto: Moto) -> None:
    keys = [f"{number:04}" for number in range(250)]
    connector = team.connector(moto, f"s3://{moto.bucket({key: b'x' for key in keys})}/")
    job = run(team, connector, "", dry_run=True)
    assert changes(team, job, 100) == [(key, "added", 1) for key in keys]
    assert team.listing() == []


def test_changes_of_what_is_no_dry_run(team: Team, filled) -> None:
    job = run(team, filled)
    refused(team.http.get(f"import/{job['id']}/changes"), 409)
    refused(team.http.get("import/00000000-0000-4000-8000-000000000000/changes"), 404)


# What cannot be read.


class Unreadable:
    """A way to an S3 server on which some keys cannot be read, and which counts how many requests it has at a time."""

    def __init__(self, target: str, keys: set[str]) -> None:
        self.keys = keys
        self.most = 0
        self.now = 0
        self.lock = threading.Lock()
        self.open = threading.Event()
        self.open.set()
        self.http = httpx.Client(base_url=target, timeout=30)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, headers, body = outer.answer(self.path, dict(self.headers))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        key = path.split("?")[0].partition("/")[2].partition("/")[2]
        if key in self.keys:
            body = f"<Error><Code>AccessDenied</Code><Message>{SECRET_KEY}</Message></Error>".encode()
            return 403, {"Content-Type": "application/xml"}, body
        with self.lock:
            self.now += bool(key)
            self.most = max(self.most, self.now)
        try:
            if key:
                self.open.wait(60)
            passed = {name: value for name, value in headers.items() if name.lower() != "host"}
            told = self.http.get(path, headers=passed)
        finally:
            with self.lock:
                self.now -= bool(key)
        kept = ("etag", "last-modified", "content-type")
        return told.status_code, {name: told.headers[name] for name in kept if name in told.headers}, told.content

    def stop(self) -> None:
        self.open.set()
        self.server.shutdown()
        self.server.server_close()
        self.http.close()


@pytest.fixture
def unreadable(moto: Moto):
    proxies: list[Unreadable] = []

    def unreadable(*keys: str) -> Unreadable:
        proxies.append(Unreadable(moto.endpoint, set(keys)))
        return proxies[-1]

    yield unreadable
    for proxy in proxies:
        proxy.stop()


def test_what_cannot_be_read_fails_the_import_or_is_left_out(
    team: Team, moto: Moto, bucket: str, unreadable
) -> None:
    bad = (KEYS[3], KEYS[7])
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=unreadable(*bad).url)
    job = run(team, connector)
    assert (job["status"], job["on_error"]) == ("failed", "fail")
    assert all(key in job["error"] for key in bad), job["error"]
    assert "AccessDenied" in job["error"]
    assert team.listing() == []

    job = run(team, connector, on_error="skip")
    assert (job["status"], job["objects_skipped"]) == ("completed", 2), job
    assert {row["key"] for row in job["skipped"]} == set(bad)
    assert all("AccessDenied" in row["reason"] for row in job["skipped"]), job["skipped"]
    assert SECRET_KEY not in json.dumps(job), "what a foreign server writes is not repeated"
    assert paths(team) == [f"in/{key}" for key in KEYS if key not in bad]
    commit = good(team.http.get(f"commits/{job['commit_id']}"))
    assert commit["metadata"]["objects_skipped"] == "2"
    assert all(key in commit["metadata"]["skipped"] for key in bad)


def test_a_mirror_keeps_what_could_not_be_read(team: Team, moto: Moto, bucket: str, filled, unreadable) -> None:
    connector = team.connector(moto, f"s3://{bucket}/", name="bad", endpoint=unreadable(KEYS[3]).url)
    job = run(team, connector, mode="mirror", on_error="skip", max_delete_percent=100)
    assert (job["status"], job["objects_skipped"], job["objects_deleted"]) == ("completed", 1, 0), job
    assert paths(team) == [f"in/{key}" for key in KEYS]


@pytest.mark.parametrize("wanted", [1, 3, 15])
def test_concurrency(team: Team, moto: Moto, bucket: str, unreadable, wanted: int) -> None:
    proxy = unreadable()
    proxy.open.clear()
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=proxy.url)
    job = team.start(connector, concurrency=wanted)
    wait_until(lambda: proxy.now == wanted, 60, f"{wanted} requests at a time")
    proxy.open.set()
    ended = team.status(team.finish(job))
    assert (ended["status"], ended["concurrency"], proxy.most) == ("completed", wanted, wanted), ended


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"mode": "copy"}, "mode"),
        ({"mode": 1}, "mode"),
        ({"max_delete_percent": 10}, "max_delete_percent"),
        ({"mode": "mirror", "max_delete_percent": 101}, "max_delete_percent"),
        ({"mode": "mirror", "max_delete_percent": -1}, "max_delete_percent"),
        ({"mode": "mirror", "max_delete_percent": 1.5}, "max_delete_percent"),
        ({"include": ["a["]}, "include"),
        ({"include": [""]}, "include"),
        ({"include": "*.csv"}, "include"),
        ({"exclude": ["x"] * 101}, "exclude"),
        ({"exclude": [7]}, "exclude"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"on_error": "ignore"}, "on_error"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 257}, "concurrency"),
        ({"concurrency": "10"}, "concurrency"),
    ],
)
def test_bad_options_are_refused_by_field(team: Team, filled, options: dict, named: str) -> None:
    body = {"connector_id": filled.id, "destination_path": ""} | options
    assert named in refused(team.http.post("import", json=body), 400)["message"]
    assert len(good(team.http.get("import"))["results"]) == 1, "only the one that was good"


# History, cancel, retry, events.


def test_history(team: Team, moto: Moto, filled) -> None:
    for number in range(4):
        run(team, filled, f"n{number}/")
    missing = team.connector(moto, "s3://no-such-bucket-here/", name="missing")
    failed = run(team, missing)
    everything = good(team.http.get("import"))["results"]
    assert [row["destination_path"] for row in everything] == ["in/", "n3/", "n2/", "n1/", "n0/", "in/"]
    assert everything[0] == failed
    assert everything[1]["created_at"] > everything[2]["created_at"]
    rows: list[dict] = []
    query: dict[str, object] = {"amount": 4}
    while len(rows) < 6:
        page = good(team.http.get("import", params=query))
        rows += page["results"]
        query["after"] = page["pagination"]["next_offset"]
        assert page["pagination"]["has_more"] is (len(rows) < 6)
    assert rows == everything
    refused(team.http.get("import", params={"amount": "0"}), 400)
    stranger = team.server.http(team.server.add_user("stranger"))
    refused(stranger.get("organizations/my-team/repositories/my-data/import"), 404)


def test_an_import_is_canceled_and_retried(team: Team, moto: Moto, bucket: str, unreadable) -> None:
    proxy = unreadable()
    proxy.open.clear()
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=proxy.url)
    job = team.start(connector)
    wait_until(lambda: proxy.now > 0, 60, "the import to read")
    refused(team.http.post(f"import/{job.id}/retry"), 409)
    good(team.http.post(f"import/{job.id}/cancel"))
    assert team.finish(job).status == "canceled"
    assert team.listing() == []
    assert good(team.http.post(f"import/{job.id}/cancel"))["status"] == "canceled", "once more changes nothing"
    proxy.open.set()
    retried = team.http.post(f"import/{job.id}/retry")
    assert retried.status_code == 202
    job = team.finish(team.repository.imports.get(retried.json()["job_id"]))
    assert (job.status, job.objects_imported) == ("completed", COUNT), job.error
    refused(team.http.post(f"import/{job.id}/retry"), 409)
    assert good(team.http.post(f"import/{job.id}/cancel"))["status"] == "completed", "what has ended stays"


def test_a_retry_fetches_only_what_is_missing(team: Team, moto: Moto, bucket: str, unreadable) -> None:
    proxy = unreadable(KEYS[-1])
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=proxy.url)
    first = run(team, connector)
    assert first["status"] == "failed"
    # What can be read now was read already, and is not again.
    proxy.keys = set(KEYS[:-1])
    retried = good(team.http.post(f"import/{first['id']}/retry"))["job_id"]
    job = team.finish(team.repository.imports.get(retried))
    assert (job.status, job.objects_imported) == ("completed", COUNT), job.error
    assert team.content() == {f"in/{key}": key.encode() for key in KEYS}


def events(team: Team, job_id: str, key: str | None = None) -> list[tuple[str, dict]]:
    """What `curl -N` shows, line by line, to the end of the stream."""
    url = f"{team.server.api}/organizations/my-team/repositories/my-data/import/{job_id}/events"
    words = ["curl", "-sSN", "--max-time", "120", "-H", f"Authorization: Bearer {key or team.server.key}", url]
    seen: list[tuple[str, dict]] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment()) as curl:
        assert curl.stdout is not None
        name = ""
        for line in curl.stdout:
            field, _, value = line.rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                seen.append((name, json.loads(value)))
            else:
                assert line == "\n" or line.startswith(":"), line
    assert curl.returncode == 0, "the stream ends in order"
    return seen


def test_an_import_is_watched_with_curl(team: Team, moto: Moto, slow) -> None:
    large = moto.bucket({f"{number:03}": b"x" * 1000 for number in range(120)})
    connector = team.connector(moto, f"s3://{large}/", endpoint=slow(moto.endpoint, 0.1).url)
    job = team.start(connector, concurrency=4)
    seen = events(team, job.id)
    assert [name for name, _ in seen] == ["progress"] * (len(seen) - 1) + ["end"]
    assert len(seen) > 2, "it was watched while it ran"
    last = seen[-1][1]
    assert (last["status"], last["phase"], last["objects_imported"]) == ("completed", "ended", 120)
    assert last == team.status(job)
    counts = [state["objects_imported"] for _, state in seen]
    assert counts == sorted(counts)
    assert events(team, job.id) == [("end", last)], "of what has ended there is nothing to wait for"


def test_a_failed_import_is_watched_with_curl(team: Team, moto: Moto) -> None:
    connector = team.connector(moto, "s3://no-such-bucket-here/")
    seen = events(team, team.start(connector).id)
    assert (seen[-1][0], seen[-1][1]["status"]) == ("end", "failed")
    assert "NoSuchBucket" in seen[-1][1]["error"]


def test_events_that_may_not_be_seen(team: Team, filled) -> None:
    job = good(team.http.get("import"))["results"][0]["id"]
    refused(team.server.http(team.server.add_user("stranger")).get(
        f"organizations/my-team/repositories/my-data/import/{job}/events"
    ), 404)
    refused(team.http.get("import/no-uuid/events"), 404)
    refused(httpx.get(f"{team.http.base_url}import/{job}/events"), 401)


# Connectors that change.


def connector_url(team: Team, connector) -> str:
    return f"{team.server.api}/organizations/my-team/connectors/{connector.id}"


def test_a_wrong_secret_is_rotated(team: Team, radosgw: Radosgw) -> None:
    bucket = radosgw.bucket({"a": b"1"})
    connector = team.connector(radosgw, f"s3://{bucket}/", secret_access_key="not-the-secret")
    failed = run(team, connector, "")
    assert (failed["status"], "SignatureDoesNotMatch" in failed["error"]) == ("failed", True), failed
    changed = good(team.http.patch(connector_url(team, connector), json={"config": radosgw.config()}))
    assert (changed["id"], changed["name"], "config" in changed) == (connector.id, "source", False)
    assert good(team.http.post(f"{connector_url(team, connector)}/test")) == {"status": "ok"}
    good(team.http.post(f"import/{failed['id']}/retry"))
    job = team.finish(team.repository.imports.get(failed["id"]))
    assert job.status == "completed", job.error
    assert team.content() == {"a": b"1"}


def test_a_wrong_endpoint_is_replaced(team: Team, moto: Moto, bucket: str) -> None:
    connector = team.connector(moto, f"s3://{bucket}/", endpoint="http://127.0.0.1:9")
    refused(team.http.post(f"{connector_url(team, connector)}/test"), 502)
    good(team.http.patch(connector_url(team, connector), json={"config": moto.config()}))
    job = run(team, connector)
    assert (job["status"], job["objects_imported"]) == ("completed", COUNT), job


def test_bad_changes_of_a_connector(team: Team, moto: Moto, filled) -> None:
    url = connector_url(team, filled)
    team.connector(moto, "s3://a-bucket/", name="other")
    secret = {"access_key_id": "a", "secret_access_key": SECRET_KEY}
    for body, status, named in [
        ({}, 400, "at least one"),
        ({"config": {"access_key_id": "a"}}, 400, "secret_access_key"),
        ({"config": secret | {"endpont": "http://x"}}, 400, "endpont"),
        ({"config": secret | {"endpoint": "http://169.254.169.254"}}, 400, "169.254"),
        ({"config": "text"}, 400, "config"),
        ({"name": ""}, 400, "name"),
        ({"disabled": "yes"}, 400, "disabled"),
        ({"name": "other"}, 409, ""),
    ]:
        message = refused(team.http.patch(url, json=body), status)["message"]
        assert named in message, message
        assert SECRET_KEY not in message
    stranger = team.server.http(team.server.add_user("stranger"))
    refused(stranger.patch(url, json={"name": "x"}), 404)
    team.organization.members.create("stranger")
    refused(stranger.patch(url, json={"name": "x"}), 403)
    assert team.organization.connectors.get(filled.id).name == "source"
    assert good(team.http.patch(url, json={"name": "renamed"}))["name"] == "renamed"
    assert run(team, filled, "again/")["status"] == "completed", "the config stayed"


def test_why_a_connector_cannot_be_used(team: Team, moto: Moto, filled) -> None:
    body = {"connector_id": filled.id, "destination_path": "x/"}
    url = connector_url(team, filled)
    assert good(team.http.patch(url, json={"disabled": True}))["disabled"] is True
    assert good(team.http.get(url))["disabled"] is True
    for answer in (team.http.post("import", json=body), team.http.post(f"{url}/test")):
        assert "enable it" in refused(answer, 423, "CONNECTOR_DISABLED")["message"]
    good(team.http.patch(url, json={"disabled": False}))
    assert run(team, filled, "x/")["status"] == "completed"

    team.repository.connectors.detach(filled.id)
    assert "attach it first" in refused(team.http.post("import", json=body), 400)["message"]
    team.repository.connectors.attach(filled.id)
    filled.delete()
    assert "create" in refused(team.http.post("import", json=body), 410, "CONNECTOR_DELETED")["message"]
    refused(team.http.patch(url, json={"disabled": False}), 404)


@pytest.mark.parametrize(
    ("how", "said"), [("disable", "disabled"), ("delete", "deleted"), ("detach", "detached")]
)
def test_a_connector_is_taken_from_a_running_import(
    team: Team, moto: Moto, bucket: str, unreadable, how: str, said: str
) -> None:
    proxy = unreadable()
    proxy.open.clear()
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=proxy.url)
    job = team.start(connector)
    wait_until(lambda: proxy.now > 0, 60, "the import to read")
    if how == "disable":
        good(team.http.patch(connector_url(team, connector), json={"disabled": True}))
    elif how == "delete":
        connector.delete()
    else:
        team.repository.connectors.detach(connector.id)
    team.finish(job)
    assert (job.status, said in job.error) == ("failed", True), job.error
    assert team.listing() == []
