"""Credentials go in and never come out: not in an answer, a log, a metric, or a file."""

from __future__ import annotations

import base64
import os
import pathlib
import shutil

import httpx
import tilde
from servers import Moto, Radosgw, Tilde, free_port
from work import Team

ACCESS = "AKIACANARY0000000001"
SECRET = "canary+secret/access=key7c4f1b"
SESSION = "canary-session-token-93ab55de"


def forms(secret: str) -> list[bytes]:
    """What a secret might hide as."""
    raw = secret.encode()
    return [raw, base64.b64encode(raw).rstrip(b"="), raw.hex().encode(), secret.encode("utf-16-le")]


def leaks(text: bytes, secrets: tuple[str, ...] = (ACCESS, SECRET, SESSION)) -> list[str]:
    return [secret for secret in secrets if any(form in text for form in forms(secret))]


def files(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Recorder:
    """Keeps every answer that passes through a client."""

    def __init__(self, server: Tilde) -> None:
        self.seen: list[bytes] = []
        self.http = server.http()
        self.http.event_hooks = {"response": [self._keep]}
        self.server = server

    def _keep(self, response: httpx.Response) -> None:
        self.seen.append(response.read() + str(response.headers).encode())


def test_credentials_never_come_out(start, moto: Moto, request) -> None:
    metrics = free_port()
    config = f"log:\n  level: trace\n  format: json\nmetrics:\n  listen: 127.0.0.1:{metrics}\n"
    server = start(config=config)
    team = Team(server, tilde.Client(api_key=server.key, endpoint_url=server.url))
    record = Recorder(server)
    bucket = moto.bucket({"a": b"1", "b/c": b"22"})
    credentials = {"access_key_id": ACCESS, "secret_access_key": SECRET, "session_token": SESSION}
    endpoints = [moto.endpoint, f"http://127.0.0.1:{free_port()}"]
    if shutil.which("radosgw"):
        endpoints.append(request.getfixturevalue("radosgw").endpoint)
    org = "organizations/my-team"
    for number, endpoint in enumerate(endpoints):
        body = {
            "name": f"c{number}", "type": "s3", "source_uri": f"s3://{bucket}/",
            "config": credentials | {"endpoint": endpoint},
        }
        record.http.post(f"{org}/connectors:test", json=body)
        record.http.post(f"{org}/connectors", json=body | {"config": body["config"] | {"oops": SECRET}})
        record.http.post(f"{org}/connectors", json=body | {"config": body["config"] | {"region": [SECRET]}})
        record.http.post(f"{org}/connectors", json=body | {"config": SECRET})
        connector = record.http.post(f"{org}/connectors", json=body).json()["id"]
        record.http.post(f"{org}/connectors", json=body)
        record.http.post(f"{org}/connectors/{connector}/test")
        record.http.get(f"{org}/connectors/{connector}")
        record.http.get(f"{org}/connectors")
        team.repository.connectors.attach(connector)
        job = team.repository.imports.create_from_connector(connector, f"d{number}/")
        if endpoint != endpoints[1]:
            team.finish(job)
        else:
            record.http.post(f"{org}/repositories/my-data/import/{job.id}/cancel")
            team.finish(job)
        record.http.get(f"{org}/repositories/my-data/import/{job.id}")
        record.http.get(f"{org}/repositories/my-data/connectors")
    record.http.get(f"{org}/repositories/my-data/objects")
    record.seen.append(httpx.get(f"http://127.0.0.1:{metrics}/metrics").content)

    assert len(record.seen) > 20
    for answer in record.seen:
        assert leaks(answer) == [], answer
    for name, content in files(server.data).items():
        assert leaks(content) == [], f"while running, in {name}"
        assert name == "admin.key" or not leaks(content, (server.key,)), f"the API key, in {name}"
    assert server.stop() == 0
    assert len(server.log.read_bytes()) > 1000
    assert leaks(server.log.read_bytes()) == []
    for name, content in files(server.data).items():
        assert leaks(content) == [], f"after the stop, in {name}"


def test_sealed_configs_open_with_the_configured_keys_only(start, moto: Moto, tmp_path) -> None:
    keys = [base64.b64encode(os.urandom(32)).decode() for _ in range(3)]

    def config(*used: int) -> str:
        lines = "".join(f"      - {keys[n]}\n" for n in used)
        return f"auth:\n  encryption:\n    keys:\n{lines}"

    server = start(config=config(0))
    assert not (server.data / "keys" / "encryption.key").exists()
    team = Team(server, tilde.Client(api_key=server.key, endpoint_url=server.url))
    bucket = moto.bucket({"a": b"1"})
    connector = team.connector(moto, f"s3://{bucket}/").id

    def restart(*used: int) -> int:
        server.stop()
        server.config.write_text(config(*used))
        server.start()
        with server.http() as http:
            return http.post(f"organizations/my-team/connectors/{connector}/test").status_code

    assert restart(1, 0) == 200, "rotated: a new key first, the old one still opens"
    lost = restart(2)
    assert 400 <= lost < 600, "a lost key makes the connector unusable"
    assert restart(0) == 200, "and nothing else"


def test_wrong_secrets_are_not_repeated_by_a_real_server(team: Team, radosgw: Radosgw) -> None:
    bucket = radosgw.bucket({"a": b"1"})
    connector = team.connector(radosgw, f"s3://{bucket}/", secret_access_key=SECRET)
    job = team.finish(team.repository.imports.create_from_connector(connector.id, ""))
    assert job.status == "failed"
    assert leaks(job.error.encode()) == []
