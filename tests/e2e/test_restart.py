"""A server that is killed or stopped in the middle of an import ends it after the restart, once, with the same result."""

from __future__ import annotations

import pytest
import tilde
from servers import Moto, Tilde, wait_until
from work import Team

COUNT = 600
# The first of them is large enough to rest in pieces of its own.
OBJECTS = {f"{n % 7}/{n:05}": (b"%d " % n) * (n if n else 4_000_000) for n in range(COUNT)}


@pytest.fixture(scope="module")
def bucket(moto: Moto) -> str:
    return moto.bucket(OBJECTS)


def client_of(server: Tilde) -> tilde.Client:
    return tilde.Client(api_key=server.key, endpoint_url=server.url)


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_an_import_survives(way: str, start, slow, moto: Moto, bucket: str) -> None:
    server = start()
    team = Team(server, client_of(server))
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=slow(moto.endpoint, 0.1).url)
    job = team.repository.imports.create_from_connector(connector.id, "")
    for goal in (COUNT // 6, COUNT // 2):
        wait_until(lambda: job.refresh().objects_imported >= goal, 60, f"{goal} objects")
        assert job.status == "running"
        getattr(server, way)()
        server.start()
        job = client_of(server).repository("my-team/my-data").imports.get(job.id)
        assert job.status in ("pending", "running")
        assert job.objects_imported > 0, "it goes on from its checkpoint"
    team.finish(job)
    assert (job.status, job.objects_imported) == ("completed", COUNT), job.error

    again = client_of(server)
    commits = list(again.repository("my-team/my-data").commits.list())
    assert [commit.id for commit in commits] == [job.commit_id]
    undisturbed = again.organizations.get("my-team").repositories.create("undisturbed")
    undisturbed.connectors.attach(connector.id)
    other = team.finish(undisturbed.imports.create_from_connector(connector.id, ""))
    digests = [server.check("--digest", commit).stdout.strip() for commit in (job.commit_id, other.commit_id)]
    assert len(digests[0]) >= 32
    assert digests[0] == digests[1]
    objects = commits[0].objects
    assert {row.path for row in objects.list(page_size=1000)} == set(OBJECTS)
    for path in list(OBJECTS)[::50]:
        assert objects.get(path).read() == OBJECTS[path]
