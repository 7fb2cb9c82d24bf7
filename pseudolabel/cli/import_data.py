"""`python -m pseudolabel import`: convert another format to the raw layout."""

from __future__ import annotations

import argparse
from pathlib import Path

from pseudolabel.cli.raw_root import new_root_argument
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.params.loading import PARAMS
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from pseudolabel.raw.importers.recognise import recognise
from pseudolabel.raw.importers.writer import write_raw_root

_EXAMPLES = 3
"""Names that are shown of each kind of file that was not used."""

_USED_BY: dict[str, tuple[str, ...]] = {
    "class_from_folder": ("coco",),
    "negatives": ("yolo",),
    "colours": ("masks",),
    "ignore_zero": ("masks",),
    "classes": tuple(form for form in IMPORTERS if form != "coco"),
    "images": tuple(form for form in IMPORTERS if form != "folders"),
}
"""The formats that use an option; with other formats it is refused."""

DESCRIPTION = "Copy the images and labels of another format to a raw root."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument(
        "--from",
        dest="format",
        choices=IMPORTERS,
        help="the format of the source (default: recognised by its files)",
    )
    parser.add_argument("source", type=Path, help="the folder or file to read")
    parser.add_argument(
        "root", type=new_root_argument, help="the raw root to write: new, or with other splits"
    )
    parser.add_argument(
        "--split",
        choices=("gold", "val", "test", "pool"),
        default="gold",
        help="the split of the labels if the format has no splits (default: gold)",
    )
    parser.add_argument(
        "--images", type=Path, help="the folder of images, if it is not in the source"
    )
    parser.add_argument(
        "--classes",
        default="",
        help="names of the classes, separated by commas, in the order of their numbers",
    )
    parser.add_argument(
        "--class-from-folder",
        action="store_true",
        help="coco: the class of a label is the name of the folder of its file",
    )
    parser.add_argument(
        "--negatives",
        action="store_true",
        help="yolo: images without a label file have no objects (default: they are unlabelled)",
    )
    parser.add_argument(
        "--colours",
        default="",
        help="masks: colours of the classes such as #ff0000, in their order, separated by commas",
    )
    parser.add_argument(
        "--ignore-zero",
        action="store_true",
        help="masks: pixels of 0 are unlabelled, and the classes are counted from 1",
    )


def run(arguments: argparse.Namespace) -> int:
    """Import the source, and print what was read and what was not used.

    Raises:
        DataError: the source has faults or an unknown format, its format does not use an option, or
            the root has one of its splits already.
    """
    form = arguments.format or _recognised_format(arguments.source, arguments.split)
    _refuse_unused_options(arguments, form)
    given = _split_list(arguments.classes)
    request = ImportRequest(
        arguments.source,
        arguments.split,
        arguments.images,
        given or _gold_classes(arguments.root),
        arguments.class_from_folder,
        arguments.negatives,
        _split_list(arguments.colours),
        arguments.ignore_zero,
        classes_of_gold=not given,
    )
    found = IMPORTERS[form](request)
    write_raw_root(found, arguments.root)
    for name, split in found.splits.items():
        labels = f"{len(split.content['annotations']):,} labels"
        if split.maps:
            labels = f"{len(split.maps):,} masks"
        print(f"{name}: {len(split.files):,} images, {labels} in {arguments.root}")
    for note in found.notes:
        print(f"changed: {note}")
    for kind, names in sorted(found.unused.items()):
        examples = ", ".join(map(repr, names[:_EXAMPLES]))
        place = "pool" if set(names) <= set(found.unlabelled) else "not used"
        print(f"{place}: {len(names):,} {kind}: {examples}{', ...' * (len(names) > _EXAMPLES)}")
    task = "" if PARAMS.is_file() else " --task TASK"
    print(f"next: pseudolabel check {arguments.root}{task}")
    return 0


def _refuse_unused_options(arguments: argparse.Namespace, form: str) -> None:
    """Raise if an option was given that the format does not use."""
    faults = [
        Fault(
            f"--{name.replace('_', '-')}", "", f"a format that uses it ({', '.join(forms)})", form
        )
        for name, forms in _USED_BY.items()
        if getattr(arguments, name) and form not in forms
    ]
    if faults:
        raise DataError(faults)


def _split_list(text: str) -> tuple[str, ...]:
    """Return the values of an option that are separated by commas."""
    return tuple(value.strip() for value in text.split(",") if value.strip())


def _recognised_format(source: Path, split: str) -> str:
    """Return the format of a source, and print the reason; a pool may be a folder of images.

    Raises:
        DataError: no format fits, or several do.
    """
    found = {form: why for form, why in recognise(source).items() if form in IMPORTERS}
    if len(found) == 1:
        ((form, why),) = found.items()
        print(f"read as {form}: {why}")
        return form
    if not found and split == "pool" and source.is_dir():
        return "folders"
    expected = "one format that is known by its files, or `--from FORMAT`"
    if not found and source.is_dir():
        expected += ", or `--split pool` for images without labels"
    several = "; ".join(f"{form} ({why})" for form, why in found.items())
    if not source.exists():
        expected, several = "a folder or a file", "neither"
    raise DataError([Fault(str(source), "", expected, several or "no such format")])


def _gold_classes(root: Path) -> tuple[str, ...]:
    """Return the class names of a root's gold.json; none if the file does not exist."""
    path = root / "gold.json"
    return tuple(read_coco(path).class_names) if path.exists() else ()
