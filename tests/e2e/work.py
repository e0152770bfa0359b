"""What most tests do first: an organization, a repository, a connector, an import."""

from __future__ import annotations

import httpx
import tilde
from gcs import Gcs
from servers import S3, Tilde, wait_until

IMPORT_SECONDS_MAX = 120


class Team:
    """The organization `my-team` with the repository `my-data`, seen by one user."""

    def __init__(
        self, server: Tilde, client: tilde.Client, name: str = "my-team", repository: str = "my-data"
    ) -> None:
        client.organizations.create(name, "My Team").repositories.create(repository)
        self._meet(server, client, name, repository)

    def _meet(self, server: Tilde, client: tilde.Client, name: str, repository: str) -> None:
        self.server = server
        self.client = client
        self.name = name
        self.organization = client.organizations.get(name)
        self.repository = self.organization.repositories.get(repository)
        self.http = server.http()
        self.http.base_url = f"{server.api}/organizations/{name}/repositories/{repository}/"

    @classmethod
    def again(cls, server: Tilde) -> Team:
        """The same team after the server has been started anew, at another address."""
        team = cls.__new__(cls)
        team._meet(server, tilde.Client(api_key=server.key, endpoint_url=server.url), "my-team", "my-data")
        return team

    def connector(self, store: S3 | Gcs, source_uri: str, name: str = "source", **config: str):
        """A connector, created and attached."""
        connector = self.organization.connectors.create(
            name=name, type=store.kind, source_uri=source_uri, config=store.config(**config)
        )
        self.repository.connectors.attach(connector.id)
        return connector

    def finish(self, job):
        """The job at its end."""
        wait_until(lambda: job.refresh().status not in ("pending", "running"), IMPORT_SECONDS_MAX, "the import")
        return job

    def start(self, connector, destination: str = "", **body: object):
        """An import with options that the client has no words for; the job, running."""
        body = {"connector_id": connector.id, "destination_path": destination} | body
        return self.repository.imports.get(good(self.http.post("import", json=body))["job_id"])

    def status(self, job) -> dict:
        """All that the server tells of a job."""
        return good(self.http.get(f"import/{job.id}"))

    def run_import(self, connector, destination: str = "", **options: str):
        """An import from its start to its end, which must be good."""
        job = self.repository.imports.create_from_connector(connector.id, destination, **options)
        self.finish(job)
        assert job.status == "completed", job.error
        return job

    def commit(self, puts: dict[str, bytes] | None = None, *deletes: str, message: str = "change") -> str:
        """A session with these objects put and those paths deleted, committed; the commit's id."""
        with self.repository.session() as session:
            for path, body in (puts or {}).items():
                session.objects.put(path, body)
            if deletes:
                session.objects.delete_many(list(deletes))
            commit = session.commit(message)
        assert commit
        return commit

    def listing(self, **query: object) -> list[dict]:
        """All rows of a listing, whatever it takes, as they are on the wire."""
        rows: list[dict] = []
        after = None
        while True:
            page = good(self.http.get("objects", params=query | ({"after": after} if after else {})))
            rows += page["results"]
            if not page["pagination"]["has_more"]:
                return rows
            after = page["pagination"]["next_offset"]

    def content(self, **query: object) -> dict[str, bytes]:
        """Every object with its bytes."""
        paths = [row["path"] for row in self.listing(**query)]
        return {path: self.http.get("object", params={"path": path} | query).content for path in paths}


def good(response: httpx.Response):
    """The JSON of a successful answer."""
    assert response.is_success, f"{response.status_code} {response.text}"
    return response.json()


def refused(response: httpx.Response, status: int, code: str | None = None) -> dict:
    """The error envelope of a refusal, which must have the contract's shape."""
    assert response.status_code == status, f"{response.status_code} {response.text}"
    assert response.headers["content-type"].startswith("application/json")
    envelope = response.json()
    assert set(envelope) == {"message", "code", "request_id"}, envelope
    assert all(isinstance(value, str) and value for value in envelope.values()), envelope
    assert code is None or envelope["code"] == code, envelope
    return envelope
