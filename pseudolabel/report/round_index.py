"""The index of a round: the pool's labels by image in files that pages load, and their changes.

Files are written one after the other: memory does not grow with the pool.
"""

from __future__ import annotations

import csv
import heapq
from contextlib import closing
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pseudolabel.core.files import hash_folder, read_json, write_json, written_aside
from pseudolabel.core.project import RoundFolder
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.model_folder import CURVE, INITIAL_WEIGHTS, RECORD
from pseudolabel.formats.shards import TEACHER_FILE, Shard, list_shards
from pseudolabel.formats.silver_folder import DECISIONS, REPORT, read_decisions
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.report import INDEXERS
from pseudolabel.report.data_file import data_script
from pseudolabel.report.data_pack import DataPack
from pseudolabel.report.entries import FIRST_REASON, Entry, RoundSilver
from pseudolabel.report.gallery import image_facts
from pseudolabel.report.image_copies import MOST_LARGE

ROUND = "round.json"
"""The facts of a round for the overview."""
PAGES = "pages.parquet"
"""The files that pages load."""
CONTENT = "content"
"""In the facts: a hash of the index of this round and of those before it."""
CURVES = {"thresholds": "thresholds.csv", "reliability": "reliability.csv"}
"""Tables of a silver folder that are in the facts."""
_IMAGES_PER_FILE = 2000
_LABELS_PER_FILE = 200
"""Images per file. Labels are loaded when an image is shown, so their files are smaller."""
_MOST_CHANGED = 10
_MOST_DOUBTFUL = MOST_LARGE
"""Images that may have large copies."""


def write_round_index(folder: RoundFolder, prepared: Path, task: str) -> None:
    """Write the index of a round.

    Args:
        folder: the folders of the round.
        prepared: the folder of prepared data.
        task: decides the kind of label.
    """
    with written_aside(folder.index) as aside:
        aside.mkdir(parents=True)
        facts = _training_facts(folder)
        if folder.number:
            facts |= _silver_facts(folder)
            facts |= _index_silver(folder, prepared, aside, task, facts["reasons"])
        before = read_json(folder.previous.index / ROUND)[CONTENT] if folder.previous else None
        facts["before"] = before
        write_json(aside / ROUND, facts)
        write_json(aside / ROUND, facts | {CONTENT: hash_folder(aside)})


def _training_facts(folder: RoundFolder) -> dict[str, Any]:
    """Return the curve and the hashes of a round's training; a file as round 0 has no training."""
    if not (folder.model / RECORD).exists():
        facts: dict[str, Any] = {"round": folder.number, "curve": [], "data": {}}
        facts["weights"] = hash_folder(folder.model)
        return facts | {INITIAL_WEIGHTS: "none: predictions from a file"}
    record = read_json(folder.model / RECORD)
    return {
        "round": folder.number,
        "curve": _read_rows(folder.model / CURVE),
        "weights": record["weights"],
        INITIAL_WEIGHTS: record[INITIAL_WEIGHTS],
        "data": record["data"],
    }


def _silver_facts(folder: RoundFolder) -> dict[str, Any]:
    """Return the report of a round's silver, its curves, its teacher and its hash."""
    report = read_json(folder.silver / REPORT)
    (unit,) = {"annotations", "pixels", "labels"} & set(report)
    image_reasons = list(report["images"]["dropped"])
    label_reasons = [name for name in report[unit]["dropped"] if name not in image_reasons]
    curves = {
        name: _read_rows(folder.silver / file) if (folder.silver / file).is_file() else []
        for name, file in CURVES.items()
    }
    return curves | {
        "silver": report,
        "unit": unit,
        "reasons": [*label_reasons, *image_reasons],
        "teacher": read_json(folder.silver / TEACHER_FILE)["weights"],
        "silver_hash": hash_folder(folder.silver),
    }


def _index_silver(
    folder: RoundFolder, prepared: Path, output: Path, task: str, reasons: list[str]
) -> dict[str, Any]:
    """Write what became of the pool, and return what changed most and the number of images."""
    pool = SplitFolder(prepared / "pool").read()
    report = read_json(folder.silver / REPORT)
    silver = RoundSilver(
        folder.predictions,
        folder.silver,
        RoundFolder(folder.number - 1).silver if folder.number > 1 else None,
        pool.categories,
        reasons,
        report["tuning"]["temperature"] if report["tuning"] else 1.0,
        output,
    )
    size = read_json(folder.predictions / TEACHER_FILE)["shard_images"]
    shards = list_shards(folder.predictions, pool.images, size)
    with closing(DataPack(output / PAGES)) as pack:
        writer = _IndexWriter(pack, folder, reasons)
        for shard in tqdm(shards, desc="index", unit="shard", mininterval=2):
            found = {entry.image_id: entry for entry in INDEXERS[TASKS[task].kind](silver, shard)}
            for row, image_id in enumerate(shard.images.ids.tolist()):
                writer.add(shard, row, found.get(image_id))
        writer.close()
    changed = sorted(writer.most_changed, reverse=True)
    return {
        "images": len(pool.images),
        "changed": [summary for _, _, summary in changed],
        "doubtful": [facts for _, _, facts in sorted(writer.most_doubtful, reverse=True)],
        "compared": silver.before is not None,
    }


class _IndexWriter:
    """Collects images, and adds a file to the pack as soon as it is full."""

    def __init__(self, pack: DataPack, folder: RoundFolder, reasons: list[str]) -> None:
        self.pack, self.round, self.reasons = pack, folder.number, reasons
        ids, reliabilities, names = read_decisions(folder.silver / DECISIONS)
        self.decisions = zip(ids.tolist(), reliabilities.tolist(), names, strict=True)
        self.images: list[list[Any]] = []
        self.labels: list[list[Any]] = []
        self.files = {"images": 0, "labels": 0}
        self.most_changed: list[tuple[int, int, dict[str, Any]]] = []
        self.most_doubtful: list[tuple[float, int, list[Any]]] = []

    def add(self, shard: Shard, row: int, entry: Entry | None) -> None:
        """Add an image of a shard; without an entry it could not be read."""
        facts = image_facts(shard.images, row)
        image_id, reliability, name = next(self.decisions)
        reason = self.reasons.index(name) if name else -1
        entry = entry or Entry(image_id, 0, [], 0, 0, 0.0, (0, 0), [], [])
        kept = reason < 0
        different, compared = entry.changed
        self.images.append(
            [
                *facts,
                round(reliability, 3),
                entry.count if kept else 0,
                round(different / compared, 3) if compared else 0,
                entry.doubt,
                reason,
                entry.classes if kept else [],
                entry.bins if kept else 0,
                entry.reasons,
            ]
        )
        self.labels.append(entry.labels)
        if different:
            self._remember(facts, entry, reason)
        _keep_largest(self.most_doubtful, (entry.doubt, -image_id, facts), _MOST_DOUBTFUL)
        self._write("labels", self.labels, _LABELS_PER_FILE)
        self._write("images", self.images, _IMAGES_PER_FILE)

    def close(self) -> None:
        """Write the files that are not full yet."""
        self._write("labels", self.labels, 1)
        self._write("images", self.images, 1)

    def _remember(self, facts: list[Any], entry: Entry, reason: int) -> None:
        """Keep an image if its silver is among those that changed most."""
        labels = [label for label in entry.labels if len(label) < 3 or label[2] < FIRST_REASON]
        summary: dict[str, Any] = {"image": facts, "before": entry.before, "reason": reason}
        summary |= {"labels": labels if reason < 0 else [], "changed": entry.changed[0]}
        changed = entry.changed[0], -entry.image_id, summary
        _keep_largest(self.most_changed, changed, _MOST_CHANGED)

    def _write(self, kind: str, rows: list[list[Any]], full: int) -> None:
        """Write the collected rows to the next file of a kind, if there are enough."""
        if len(rows) < full:
            return
        name = f"{kind}-{self.files[kind]:05d}"
        self.pack.add(f"{name}.js", data_script(f"rounds/{self.round}/{name}", rows))
        self.files[kind] += 1
        rows.clear()


def _keep_largest(heap: list[tuple[Any, int, Any]], row: tuple[Any, int, Any], most: int) -> None:
    """Add a row to a heap of rows, and remove the smallest one if there are too many."""
    heapq.heappush(heap, row)
    if len(heap) > most:
        heapq.heappop(heap)


def _read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a CSV file of this project; numbers as numbers."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            {key: _number(value) for key, value in row.items()} for row in csv.DictReader(stream)
        ]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
