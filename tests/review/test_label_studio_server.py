"""The review loop against a real Label Studio server, which the project's own command installs."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from pseudolabel.__main__ import main
from pseudolabel.core.project import PREPARED, REVIEWED_GOLD
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.loading import load_params
from pseudolabel.review.batch import Batch
from pseudolabel.review.label_studio import client as studio
from pseudolabel.review.label_studio import server
from pseudolabel.review.label_studio.tasks import FILE_NAME
from pseudolabel.splits.prepare import prepare
from tests.builders import splitting

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
START_SECONDS = 900


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(f"{url}/api/version", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="session")
def studio_folder(tmp_path_factory):
    """A project whose command installs and runs a server: its address is in the file `url`."""
    folder = tmp_path_factory.mktemp("label_studio")
    (folder / "raw" / "images").mkdir(parents=True)
    values = yaml.safe_load((ROOT / "presets" / "detection.yaml").read_text(encoding="utf-8"))
    values["data"]["root"] = "raw"
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    port = free_port()
    command = [sys.executable, "-m", "pseudolabel", "review", "start", "--port", str(port)]
    log, environment = folder / "server.log", {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
    try:
        while not answers(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.5)
        (folder / "url").write_text(url)
        yield folder
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
    assert (folder / server.TOKEN_FILE).read_text() not in log.read_text()


@pytest.fixture
def running(studio_folder, project):
    """The address of the server, which shows the images of the project in the working folder."""
    server.FOLDER.symlink_to(studio_folder / server.FOLDER)
    raw = studio_folder / "raw"
    shutil.rmtree(raw)
    shutil.copytree(project.data.root, raw)
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["data"]["root"] = str(raw)
    Path("params.yaml").write_text(yaml.safe_dump(values))
    return (studio_folder / "url").read_text()


def review(*arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["pseudolabel", "review", *map(str, arguments)])
        assert main() == 0


def submit(person, task, change=lambda results: results, **options):
    """Submit the predictions of a task, changed, as the labelling page would."""
    (prediction,) = task.model_dump()["predictions"]
    results = [
        {key: value for key, value in row.items() if key != "score"} for row in prediction["result"]
    ]
    person.annotations.create(id=task.id, result=change(results), **options)


def act(person, project):
    """Do what a person may do; return the names of the images by what was done."""
    tasks = list(person.tasks.list(project=project, fields="all"))
    names = [task.data[FILE_NAME] for task in tasks]
    submit(person, tasks[0])
    submit(person, tasks[1], lambda results: results[:1])
    submit(person, tasks[2], lambda _: [])
    submit(person, tasks[3], was_cancelled=True)
    # Two annotations of one image: the newer one counts.
    submit(person, tasks[5], lambda _: [])
    submit(person, tasks[5])
    kinds = ("confirmed", "reduced", "emptied", "skipped", "left", "twice")
    return dict(zip(kinds, names, strict=True))


@pytest.mark.parametrize(
    "any_task", ["detection", "instance", "semantic", "classification"], indirect=True
)
def test_what_persons_submit_becomes_gold(any_task, running, capsys):
    root = load_params().data.root
    before = {split: SplitFolder(PREPARED / split).read() for split in ("gold", "val", "test")}
    review("send", "--count", 6, "--url", running)
    batch = Batch.read(1)
    assert server.token() not in (batch.folder / "sent.json").read_text()
    person = studio.connect(running, server.TOKEN_FILE)
    done = act(person, batch.place["project"])
    assert set(done.values()) == {image.file_name for image in batch.images}
    image = (root / "images" / done["left"]).read_bytes()
    (task,) = (
        one
        for one in person.tasks.list(project=batch.place["project"], fields="all")
        if one.data[FILE_NAME] == done["left"]
    )
    request = urllib.request.Request(
        running + task.data["image"], headers={"Authorization": f"Token {server.token()}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.read() == image

    capsys.readouterr()
    review("fetch")
    printed = capsys.readouterr().out
    assert "4 of 6 images submitted" in printed
    assert f"{done['twice']}: the newest of 2 annotations is taken" in printed
    assert server.token() not in printed
    reviewed = REVIEWED_GOLD / "reviewed.json"
    written = reviewed.read_bytes()
    review("fetch", 1)
    assert reviewed.read_bytes() == written
    rows = {row["file_name"]: row for row in json.loads(written)["images"]}
    assert set(rows) == {done[kind] for kind in ("confirmed", "reduced", "emptied", "twice")}
    assert {row["reviewer"] for row in rows.values()} == {server.USER}

    again = PREPARED.with_name("again")
    prepare(root, again, any_task.task, splitting(0.2), 0, REVIEWED_GOLD)
    gold = SplitFolder(again / "gold")
    names = set(gold.read().images.file_names.tolist())
    empty = {done["emptied"]} if any_task.task in ("detection", "instance") else set()
    expected = {done[kind] for kind in ("confirmed", "reduced", "twice")} | empty
    assert names - set(before["gold"].images.file_names.tolist()) == expected
    sent = {image.file_name: image for image in batch.images}
    by_name = labels_of(gold.read())
    for kind in ("confirmed", "twice"):
        assert by_name[done[kind]] == sorted(label.name for label in sent[done[kind]].labels)
    if any_task.task in ("detection", "instance"):
        assert len(by_name[done["reduced"]]) == 1


def labels_of(dataset):
    """The names of the classes of each image's labels, sorted."""
    names = {category.id: category.name for category in dataset.categories}
    images = dataset.images
    rows = dataset.annotations.by_image(images.ids)
    return {
        name: sorted(names[one] for one in part.category_ids.tolist())
        for name, part in zip(images.file_names.tolist(), rows, strict=True)
    }


@pytest.mark.parametrize("any_task", ["detection"], indirect=True)
@pytest.mark.usefixtures("project")
def test_faults_of_a_server_are_plain_and_hide_the_token(monkeypatch, capsys):
    monkeypatch.setenv(studio.TOKEN_VARIABLE, "f" * 40)
    with pytest.raises(SystemExit, match="Label Studio does not answer") as error:
        review("send", "--count", 1, "--url", f"http://127.0.0.1:{free_port()}")
    assert "f" * 40 not in str(error.value) + capsys.readouterr().err
    with pytest.raises(SystemExit, match="--url: expected http://host:port"):
        review("send", "--url", "file:///etc/passwd")
    monkeypatch.delenv(studio.TOKEN_VARIABLE)
    with pytest.raises(SystemExit, match="expected a token of Label Studio"):
        review("send", "--url", "http://127.0.0.1:1")
    assert not list(Path("review").glob("*"))
