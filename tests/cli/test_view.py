import threading
from http.client import HTTPConnection

import pytest

from pseudolabel.cli.view import make_server, run
from pseudolabel.core.errors import DataError, MachineError
from tests.builders import pseudolabel


@pytest.fixture
def server(tmp_path):
    for name in ("report/index.html", "report/data/site.js", "audit/suspects.html", "secret.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    with make_server(tmp_path / "report", tmp_path / "audit", 0) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def get(server, path, host=None):
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_report_and_the_audit_are_served(server):
    assert get(server, "/") == (200, "report/index.html")
    assert get(server, "/data/site.js") == (200, "report/data/site.js")
    assert get(server, "/folds/audit/suspects.html") == (200, "audit/suspects.html")


@pytest.mark.parametrize(
    "path",
    ["/data/", "/../secret.txt", "/%2e%2e/secret.txt", "/folds/audit/../../../secret.txt", "/x"],
)
def test_nothing_else_is_served(server, path):
    assert get(server, path)[0] == 404


def test_only_this_machine_is_answered(server):
    assert server.server_address[0] == "127.0.0.1"
    assert get(server, "/", host="evil.example:80")[0] == 403
    assert get(server, "/", host=f"localhost:{server.server_port}")[0] == 200


def test_a_port_in_use_is_named(server, tmp_path):
    with pytest.raises(MachineError, match=f"port {server.server_port}.*--port"):
        make_server(tmp_path, tmp_path, server.server_port)


def test_without_a_report_the_command_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="dvc repro"):
        run(None)
    assert "--no-browser" in pseudolabel("view", "--help")[1]
