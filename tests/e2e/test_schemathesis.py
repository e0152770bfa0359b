"""The API document is the truth: whatever schemathesis makes of it, no answer breaks it and none is a failure of ours.

REQUESTS says how many requests are made (2,000 unless set), SECONDS_MAX when it ends in any case. The same seed makes
the same requests.
"""

from __future__ import annotations

import collections
import os
import time
import uuid

import httpx
import hypothesis
import hypothesis.errors
import hypothesis.strategies as st
import pytest
import requests
import schemathesis
import tilde
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from servers import Moto, Tilde
from work import Team, good

SEED = int(os.environ.get("SCHEMATHESIS_SEED", "1"))
REQUESTS = int(os.environ.get("SCHEMATHESIS_REQUESTS", "2000"))
REQUESTS_LONG = 20_000
SECONDS_MAX = 150
SECONDS_MAX_LONG = 1_500
# Requests to one operation, in one mode, before it is the next one's turn.
TURN = 4
FAILURES_NAMED_MAX = 20

CHECKS = [status_code_conformance, response_schema_conformance, content_type_conformance]

# An event stream stays open for as long as its job runs, and has no JSON to be compared with the document.
EXCLUDED = "/events"
# These two report a source that cannot be reached as 502, on purpose; the sources made up here cannot be.
MAY_BE_502 = ("connectors:test", "connectors/{connector_id}/test")


PASSWORD = "correct horse battery"


class World:
    """What the requests are about: names and ids that exist, whatever the requests do to them."""

    def __init__(self, server: Tilde, moto: Moto) -> None:
        self.server = server
        self.moto = moto
        self.bucket = moto.bucket({"a.txt": b"hello", "b/c.txt": b"world"})
        self.client = tilde.Client(api_key=server.key, endpoint_url=server.url)
        self.http = server.http()
        server.admin("user", "add", "guest", "--password-stdin", stdin=f"{PASSWORD}\n")
        server.add_user("visitor")
        # Asked for once: few are given to one address in a minute.
        self.device = good(self.http.post("auth/device/code"))
        self._begin()
        self.renew()

    def _begin(self) -> None:
        for organization in self.client.organizations.list():
            organization.delete()
        self.team = Team(self.server, self.client)
        job = self.team.run_import(self.team.connector(self.moto, f"s3://{self.bucket}/"))
        changed = self.team.commit({"changed.txt": b"1"})
        loose = self.team.organization.connectors.create("loose", "s3", f"s3://{self.bucket}/", self.moto.config())
        self.loose = loose.id
        dry = self.team.start(self.team.connector(self.moto, f"s3://{self.bucket}/", "dry"), "dry/", dry_run=True)
        self.dry_run = self.team.finish(dry).id
        link = self.team.http.get("object", params={"path": "a.txt", "presign": "true"}).headers["location"]
        self.known: dict[str, object] = {
            "organization": "my-team", "repository": "my-data", "job_id": job.id, "commit_id": changed,
            "ref": job.commit_id, "left": job.commit_id, "right": changed, "path": "a.txt", "object": "a.txt",
            "source_path": "a.txt", "source_organization": "my-team", "source_repository": "my-data",
            "source_uri": f"s3://{self.bucket}/", "username": "visitor", "login": "guest",
            "password": PASSWORD, "type": "s3", "config": self.moto.config(), "parts": [], "size_bytes": 5,
            "device_code": self.device["device_code"], "user_code": self.device["user_code"],
        }
        self.download = link.rpartition("/")[2]

    def renew(self) -> None:
        """Puts back what a request has deleted or ended."""
        if self.http.get("organizations/my-team/repositories/my-data").status_code == 404:
            self._begin()
        self.known["user_id"] = self._member()
        self.known["connector_id"] = self._connector()
        self.known["key_id"] = self._key()
        self._session()

    def _member(self) -> str:
        members = self.team.organization.members
        there = {row.username: row for row in members.list()}
        if "visitor" in there:
            there["visitor"].delete()
        return (there.get("guest") or members.create("guest")).user_id

    def _connector(self) -> str:
        self.team.repository.connectors.detach(self.loose)
        known = [row for row in self.team.organization.connectors.list() if row.id == self.known.get("connector_id")]
        if not known:
            return self.team.connector(self.moto, f"s3://{self.bucket}/", name=uuid.uuid4().hex).id
        if known[0].disabled:
            answer = self.http.patch(f"organizations/my-team/connectors/{known[0].id}", json={"disabled": False})
            assert answer.is_success, answer.text
        return known[0].id

    def _key(self) -> str:
        rows = good(self.http.get("auth/keys"))["results"]
        valid = {row["id"] for row in rows if row.get("revoked_at") is None}
        known = self.known.get("key_id")
        return known if known in valid else good(self.http.post("auth/keys", json={"name": "spare"}))["id"]

    def _session(self) -> None:
        """An open session that sees the object, with an upload of each kind that waits for its end."""
        query = {"session_id": self.known.get("session_id", str(uuid.uuid4())), "path": "a.txt"}
        if self.team.http.head("object", params=query).status_code == 404:
            query["session_id"] = self.team.repository.session().session_id
        upload = self.team.http.put("object", params=query)
        self.known["session_id"] = query["session_id"]
        self.upload = good(upload)["upload_token"]
        stored = httpx.put(good(upload)["upload_url"], content=b"12345")
        assert stored.is_success, stored.text
        self.checksum = stored.headers["etag"]
        self.multipart = good(self.team.http.post("object/multipart", params=query))

    def put_into(self, case: schemathesis.Case) -> None:
        """Replaces the made-up names of a request by those that exist."""
        known: dict[str, object] = self.known | {"upload_token": self.upload, "checksum": self.checksum}
        known["token"] = self.upload if "/uploads/" in case.path else self.download
        if "/multipart" in case.path:
            known |= self.multipart | {"size_bytes": 0}
            del known["checksum"]
        if case.path.endswith("{repository}/connectors"):
            known["connector_id"] = self.loose
        if case.path.endswith("{job_id}/changes"):
            known["job_id"] = self.dry_run
        body = case.body if isinstance(case.body, dict) else {}
        if "connector_id" in body:
            # An import has one source.
            body.pop("source_organization", None)
            body.pop("source_repository", None)
        for values in (case.path_parameters, case.query, body):
            for name in known.keys() & values.keys():
                values[name] = known[name]


class Fuzz:
    """Requests made of the document, and what is wrong with their answers."""

    def __init__(self, world: World, count: int, seconds: float) -> None:
        self.world = world
        self.count = count
        self.deadline = time.monotonic() + seconds
        self.session = requests.Session()
        self.statuses: collections.Counter[int] = collections.Counter()
        self.failures: dict[str, str] = {}
        schema = schemathesis.openapi.from_url(f"{world.server.api}/openapi.json")
        schema.config.update(base_url=world.server.url)
        operations = [result.ok() for result in schema.get_all_operations()]
        self.operations = [operation for operation in operations if not operation.path.endswith(EXCLUDED)]
        assert len(operations) - len(self.operations) == 1
        # Operations that have never done what was asked.
        self.refusing = {operation.label for operation in self.operations}

    def run(self) -> int:
        """Turn after turn; how many were completed."""
        turns = 0
        while self.statuses.total() < self.count and time.monotonic() < self.deadline:
            for index, operation in enumerate(self.operations):
                if turns and time.monotonic() > self.deadline:
                    return turns
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    seed = ((SEED * 10_000 + turns) * 1_000 + index) * 2 + (mode is GenerationMode.NEGATIVE)
                    self._turn(operation, mode, seed)
            turns += 1
        return turns

    def _turn(self, operation, mode: GenerationMode, seed: int) -> None:
        # Three of four requests name what exists, or few would get past the first 404.
        @hypothesis.seed(seed)
        @hypothesis.settings(
            database=None, max_examples=TURN, deadline=None, phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode), names=st.integers(0, 3))
        def turn(case: schemathesis.Case, names: int) -> None:
            if names:
                self.world.put_into(case)
            self._request(case)

        try:
            turn()
        except hypothesis.errors.Unsatisfiable:
            # Nothing about this operation can be wrong, as it takes nothing.
            assert mode is GenerationMode.NEGATIVE, operation.label

    def _request(self, case: schemathesis.Case) -> None:
        headers = {"Authorization": f"Bearer {self.world.server.key}"}
        answer = case.call(session=self.session, headers=headers, allow_redirects=False, timeout=60)
        self.session.cookies.clear()
        self.statuses[answer.status_code] += 1
        if answer.status_code < 400:
            self.refusing.discard(case.operation.label)
        problems = []
        if answer.status_code >= 500 and not (answer.status_code == 502 and case.path.endswith(MAY_BE_502)):
            problems.append(f"{answer.status_code} {answer.text[:300]}")
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            problems += [f"{failure.title}: {failure.message}" for failure in group.exceptions]
        for problem in problems:
            label = f"{case.operation.label} {problem.splitlines()[0]}"
            self.failures.setdefault(label, f"{problem}\n{case.as_curl_command()}")
        if answer.status_code < 300 and case.method not in ("GET", "HEAD"):
            self.world.renew()


@pytest.mark.parametrize(
    ("count", "seconds"),
    [(REQUESTS, SECONDS_MAX), pytest.param(REQUESTS_LONG, SECONDS_MAX_LONG, marks=pytest.mark.long)],
)
def test_every_answer_is_as_documented(start, moto: Moto, count: int, seconds: float) -> None:
    server = start(config=f"sources:\n  s3:\n    endpoint: {moto.endpoint}\n")
    fuzz = Fuzz(World(server, moto), count, seconds)
    turns = fuzz.run()
    print(f"{fuzz.statuses.total()} requests to {len(fuzz.operations)} operations: {sorted(fuzz.statuses.items())}")
    print("only refused:", *sorted(fuzz.refusing), sep="\n  ")
    named = list(fuzz.failures.items())[:FAILURES_NAMED_MAX]
    assert not fuzz.failures, "\n\n".join(f"{label}\n{text}" for label, text in named)
    assert turns, f"not one request of each kind within {seconds} s"
    # A document that only ever refuses would prove little.
    assert fuzz.statuses[200] > fuzz.statuses.total() / 20
