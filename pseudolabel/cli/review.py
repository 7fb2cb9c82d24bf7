"""`pseudolabel review`: send images in doubt to a person, and take the corrections back as gold."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pseudolabel.core.bucket import address_of
from pseudolabel.core.errors import ReviewError
from pseudolabel.core.records import Category
from pseudolabel.core.tasks import TASKS
from pseudolabel.params.common import Params
from pseudolabel.params.loading import load_params
from pseudolabel.raw.reviewed import Review
from pseudolabel.review.batch import Batch, batch_numbers
from pseudolabel.review.coco_exchange import read_corrected, reviewer_of, write_to_review
from pseudolabel.review.fetch import Returned, fetch
from pseudolabel.review.label_studio import client, server
from pseudolabel.review.send import Deliver, send

DESCRIPTION = (
    "Send images of the pool to a person, with their predicted labels, and take the corrections "
    "back as gold. See docs/review.md."
)
_URL = f"http://{server.HOST}:{server.PORT}"
_LABEL_STUDIO = "labelstudio"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command to its parser."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    start = actions.add_parser("start", help="run a Label Studio server for this project")
    start.add_argument("--port", type=int, default=server.PORT)
    start.add_argument("--install", action="store_true", help="only install it")
    sending = actions.add_parser("send", help="choose images and send them")
    add = sending.add_argument
    add("--count", type=int, default=50, help="how many images; default: 50")
    ways = ("random", "doubt", "diversity", "both")
    add("--by", choices=ways, default="random", help="how they are chosen; default: random")
    tools = (_LABEL_STUDIO, "cvat", "coco")
    add("--to", choices=tools, default=_LABEL_STUDIO, help="the tool; cvat and coco write files")
    add("--url", default=_URL, help=f"address of Label Studio; default: {_URL}")
    fetching = actions.add_parser("fetch", help="take back what was submitted")
    fetching.add_argument("batch", type=int, nargs="?", help="number; default: the last one")
    fetching.add_argument("--file", type=Path, help="the corrected COCO file, of cvat and coco")


def run(arguments: argparse.Namespace) -> int:
    """Run one action."""
    params = load_params()
    if arguments.action == "start":
        if arguments.install:
            print(server.install())
            return 0
        _refuse_bucket(params)
        return server.start(params.data.root, arguments.port)
    if arguments.action == "send":
        _send(arguments, params)
        return 0
    number = arguments.batch or max(batch_numbers(), default=0)
    batch = Batch.read(number)
    for line in fetch(batch, partial(_collect, params=params, file=arguments.file)):
        print(line)
    return 0


def _send(arguments: argparse.Namespace, params: Params) -> None:
    """Send a batch, and say where it is."""
    if arguments.count < 1:
        raise ReviewError(f"--count: expected a number from 1, found {arguments.count}")
    deliver: Deliver = partial(_to_files, params=params)
    if arguments.to == _LABEL_STUDIO:
        _refuse_bucket(params)
        studio = client.connect(arguments.url, server.TOKEN_FILE)
        deliver = partial(_to_label_studio, studio=studio, url=arguments.url, params=params)
    batch = send(arguments.count, arguments.by, arguments.to, params, deliver)
    print(f"batch {batch.number}: {len(batch.images)} images, chosen by {batch.by}")
    if arguments.to == _LABEL_STUDIO:
        print(f"label them at {batch.place['url']}/projects/{batch.place['project']}")
        print("then: pseudolabel review fetch")
    else:
        print(f"images and predictions: {batch.place['file']}")
        print(f"then: pseudolabel review fetch {batch.number} --file CORRECTED.json")


def _refuse_bucket(params: Params) -> None:
    """Raise if the images are in a bucket: Label Studio shows those of a folder."""
    if (address := address_of(params.data.root)) is not None:
        raise ReviewError(
            f"data.root: expected a folder, found {address}: send with --to cvat or --to coco"
        )


def _to_files(batch: Batch, categories: Sequence[Category], params: Params) -> dict[str, Any]:
    return {"file": write_to_review(batch, params.data.root, categories).as_posix()}


def _to_label_studio(
    batch: Batch, categories: Sequence[Category], studio: Any, url: str, params: Params
) -> dict[str, Any]:
    names = [category.name for category in categories]
    return client.send_tasks(studio, url, batch, params.task, names, params.data.root)


def _collect(
    batch: Batch, categories: Sequence[Category], params: Params, file: Path | None
) -> Returned:
    """Return what was submitted, from the server or from a file."""
    if batch.tool == _LABEL_STUDIO:
        studio = client.connect(batch.place["url"], server.TOKEN_FILE)
        return client.fetch_tasks(studio, batch, [category.name for category in categories])
    if file is None:
        raise ReviewError(f"batch {batch.number} was sent as files: give --file CORRECTED.json")
    kind = TASKS[params.task].kind
    images = read_corrected(file, batch, categories, params.task, kind)
    review = Review(reviewer_of(file), batch.round)
    return images, {image.file_name: review for image in images}, []
