"""Send tasks to a Label Studio server, and fetch what persons submitted.

Nothing is asked of any other address, and the token is in no message.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pseudolabel.core.errors import DataError, Fault, ReviewError
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.raw.reviewed import Review
from pseudolabel.review.batch import Batch
from pseudolabel.review.label_studio.tasks import FILE_NAME, from_results, labelling_config, to_task
from pseudolabel.review.labels import LabelledImage

TOKEN_VARIABLE = "LABEL_STUDIO_API_KEY"  # noqa: S105 - the name of a variable
_TIMEOUT = 60


def connect(url: str, token_file: Path) -> Any:
    """Return a client of a server.

    Args:
        url: the address.
        token_file: where `review start` wrote the token of the project's own server. The variable
            LABEL_STUDIO_API_KEY has that of any other server.

    Raises:
        ReviewError: there is no token, no such address, or label-studio-sdk is not installed.
    """
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ReviewError(f"--url: expected http://host:port or https://host, found {url!r}")
    token = os.environ.get(TOKEN_VARIABLE)
    if not token and token_file.exists():
        token = token_file.read_text(encoding="utf-8").strip()
    if not token:
        raise ReviewError(f"expected a token of Label Studio in {TOKEN_VARIABLE}, found none")
    try:
        from label_studio_sdk import LabelStudio  # noqa: PLC0415 - an extra
    except ImportError as error:
        advice = "pip install 'pseudolabel[review]'"
        raise ReviewError(f"label-studio-sdk is not installed: {advice}") from error
    return LabelStudio(base_url=url, api_key=token, timeout=_TIMEOUT)  # type: ignore[no-untyped-call]


def send_tasks(
    client: Any, url: str, batch: Batch, task: str, class_names: Sequence[str], root: Path
) -> dict[str, Any]:
    """Make a project with the tasks of a batch; return its address.

    Args:
        client: the client of the server.
        url: the address of the server.
        batch: the images with their predictions.
        task: the task.
        class_names: the classes.
        root: the raw root, which the server reads images from.

    Raises:
        ReviewError: the server does not answer, or refuses.
    """
    tasks = [to_task(image, task, batch.number, f"round {batch.round}") for image in batch.images]
    with _plain_answers(url):
        title = f"pseudolabel batch {batch.number}"
        project = client.projects.create(
            title=title, label_config=labelling_config(task, class_names)
        )
        # Without a storage in it, the server refuses to show files of a folder.
        folder = str((root / IMAGES).resolve())
        client.import_storage.local.create(project=project.id, path=folder, use_blob_urls=True)
        client.projects.import_tasks(id=project.id, request=tasks)
    return {"url": url, "project": project.id}


def fetch_tasks(
    client: Any, batch: Batch, class_names: Sequence[str]
) -> tuple[list[LabelledImage], dict[str, Review], list[str]]:
    """Return the submitted images of a batch, who submitted them, and lines about the others.

    Images that nobody submitted, and those that were skipped, are left out. Of several annotations
    of an image, the newest one counts.

    Raises:
        ReviewError: the server does not answer, or refuses.
        DataError: a submitted label cannot be used; all faults are listed.
    """
    url, project = batch.place["url"], batch.place["project"]
    with _plain_answers(url):
        tasks = list(client.tasks.list(project=project, fields="all"))
    sent = {image.file_name: image for image in batch.images}
    found: list[LabelledImage] = []
    reviews: dict[str, Review] = {}
    lines: list[str] = []
    faults: list[Fault] = []
    for task in tasks:
        image = sent.get(str((task.data or {}).get(FILE_NAME)))
        rows = [_as_dict(row) for row in task.annotations or []]
        submitted = [row for row in rows if not row.get("was_cancelled")]
        if image is None or not submitted:
            continue
        if len(submitted) > 1:
            lines.append(f"{image.file_name}: the newest of {len(submitted)} annotations is taken")
        newest = max(submitted, key=lambda row: (str(row.get("updated_at")), row.get("id") or 0))
        try:
            labels = from_results(newest.get("result") or [], image, class_names)
        except DataError as error:
            faults += error.faults
            continue
        found.append(LabelledImage(image.file_name, image.width, image.height, labels))
        reviews[image.file_name] = Review(_reviewer_of(newest), batch.round)
    if faults:
        raise DataError(faults)
    found.sort(key=lambda image: image.file_name)
    return found, reviews, sorted(lines)


def _as_dict(row: Any) -> dict[str, Any]:
    values: dict[str, Any] = row if isinstance(row, dict) else row.model_dump()
    return values


def _reviewer_of(row: dict[str, Any]) -> str:
    """Return who submitted an annotation: the address, which Label Studio has with a number."""
    text = str(row.get("created_username") or "").rpartition(",")[0].strip()
    return text or f"user {row.get('completed_by')}"


@contextmanager
def _plain_answers(url: str) -> Iterator[None]:
    """Raise a plain error in place of what the client raises, which may hold cookies."""
    from httpx import HTTPError  # noqa: PLC0415 - an extra
    from label_studio_sdk.core.api_error import ApiError  # noqa: PLC0415 - an extra

    try:
        yield
    except ApiError as error:
        body = error.body if isinstance(error.body, dict) else {}
        detail = body.get("validation_errors") or body.get("detail") or ""
        raise ReviewError(f"{url}: Label Studio refused: {error.status_code} {detail}") from None
    except HTTPError as error:
        raise ReviewError(f"{url}: Label Studio does not answer: {error}") from None
