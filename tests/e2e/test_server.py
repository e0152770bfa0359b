"""The program itself: quickstart, health, the API document, the page for people, metrics, start and stop."""

from __future__ import annotations

import socket

import httpx
from servers import Tilde, free_port, run_tilde
from work import good


def test_quickstart_runs_twice(tmp_path) -> None:
    for _ in range(2):
        done = run_tilde("quickstart", "--once", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "s3://" in done.stdout
    checked = run_tilde("check", "--data-dir", tmp_path / "data")
    assert checked.returncode == 0, checked.stdout


def test_quickstart_takes_another_port_if_need_be(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_tilde("quickstart", "--once", "--data-dir", tmp_path / "data", "--listen", address)
    assert done.returncode == 0, done.stdout + done.stderr


def test_quickstart_with_a_bucket_of_ones_own(tmp_path, s3) -> None:
    bucket = s3.bucket({"pre/a.txt": b"mine", "pre/b/c.txt": b"too"})
    aws = {"AWS_ACCESS_KEY_ID": s3.config()["access_key_id"], "AWS_SECRET_ACCESS_KEY": s3.config()["secret_access_key"]}
    done = run_tilde(
        "quickstart", "--once", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0",
        "--source", f"s3://{bucket}/pre", "--endpoint", s3.endpoint, AWS_REGION="us-east-1", **aws,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a.txt" in done.stdout
    assert aws["AWS_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr


def test_health_page_and_document(server: Tilde) -> None:
    assert httpx.get(f"{server.url}/livez").status_code == 200
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    page = httpx.get(server.url, headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    words = httpx.get(server.url)
    assert words.headers["content-type"].startswith("text/plain"), "what a program is told"
    assert "/api/v1/openapi.json" in words.text
    document = good(httpx.get(f"{server.api}/openapi.json"))
    assert document["openapi"].startswith("3.")
    assert any(path.endswith("/import/{job_id}") for path in document["paths"])
    assert "set-cookie" not in server.http().get("auth/me").headers


def test_metrics_have_an_address_of_their_own(start) -> None:
    port = free_port()
    server = start(config=f"metrics:\n  listen: 127.0.0.1:{port}\n")
    good(server.http().get("organizations"))
    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert metrics.status_code == 200
    assert "# TYPE" in metrics.text
    assert httpx.get(f"{server.url}/metrics").status_code == 404


def test_a_data_directory_is_used_by_one_server_at_a_time(server: Tilde) -> None:
    other = run_tilde("serve", "--data-dir", server.data, "--listen", "127.0.0.1:0")
    assert other.returncode != 0
    assert "another server" in other.stderr


def test_a_bad_option_is_named(tmp_path) -> None:
    config = tmp_path / "tilde.yaml"
    config.write_text("imports:\n  concurency: 3\n")
    done = run_tilde("serve", "--config", config, "--data-dir", tmp_path / "data")
    assert done.returncode != 0
    assert "imports.concurency" in done.stderr


def test_check_says_what_it_cannot_check(tmp_path) -> None:
    assert run_tilde("check", "--data-dir", tmp_path / "nothing").returncode == 2


def test_check_works_beside_a_running_server(team) -> None:
    checked = team.server.check()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "clean" in checked.stdout


def test_a_refusal_that_comes_before_the_body_says_that_the_connection_ends(server: Tilde) -> None:
    """Or a client that keeps its connection sends the next request into nothing."""
    host = server.url.removeprefix("http://")
    name, port = host.split(":")
    head = f"POST /api/v1/organizations HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n"
    with socket.create_connection((name, int(port)), timeout=30) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(1 << 16).lower()
    assert answer.startswith(b"http/1.1 401 ")
    assert b"\r\nconnection: close\r\n" in answer
