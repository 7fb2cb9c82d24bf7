"""COCO: one file, or a folder of files such as one an image.

Everything survives: ids of a single file, scores, crowd flags, fields of images, annotations and
categories that nobody foresaw, and whatever stands beside the three lists.
"""

from __future__ import annotations

from pathlib import Path

import orjson
from tqdm import tqdm

from pseudolabel.errors import Fault, shown
from pseudolabel.formats.images import ImageFacts, images_below, look_at_one
from pseudolabel.imports.source import Found, Record, Request, Split, images_folder

LISTS = ("images", "categories", "annotations")


def read(request: Request) -> Found:
    """Return the split of a COCO file or of all COCO files below a folder."""
    source = request.source
    single = source.is_file()
    folder = images_folder(request, "images", "JPEGImages")
    files = [source] if single else sorted(source.rglob("*.json"))
    found = Found()
    if not files:
        found.faults.append(Fault(str(source), "", "COCO files", "none"))
        return found
    contents = []
    for file in tqdm(files, desc="reading", unit="file", mininterval=2):
        label = file.name if single else file.relative_to(source).as_posix()
        content = read_file(file, label, found.faults)
        if content is not None:
            contents.append((label, content))
    if single and not request.class_from_folder:
        content = contents[0][1] if contents else {}
    else:
        content = merged(contents, request.class_from_folder, found.faults)
    split = Split(content=content)
    names = [row.get("file_name") for row in content.get("images", [])]
    split.files = image_files(folder, names, source.name, found.faults)
    found.splits[request.split] = split
    return found


def read_file(path: Path, label: str, faults: list[Fault]) -> Record | None:
    """Return the content of a COCO file, taken out of an object around it where there is one."""
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        faults.append(Fault(label, "", "JSON", str(error)))
        return None
    if isinstance(content, dict) and "annotations" not in content:
        inner = [it for it in content.values() if isinstance(it, dict) and "annotations" in it]
        content = inner[0] if len(inner) == 1 else content
    if not isinstance(content, dict):
        faults.append(Fault(label, "", "a JSON object", type(content).__name__))
        return None
    if "images" not in content and isinstance(content.get("image"), dict):
        content = content | {"images": [content["image"]]}
        content.pop("image")
    wrong = [
        Fault(label, key, "a list of objects", type(content.get(key)).__name__)
        for key in LISTS
        if not is_rows(content.get(key, [] if key == "categories" else None))
    ]
    faults += wrong
    return None if wrong else content


def is_rows(value: object) -> bool:
    """Return whether a value is a list of objects."""
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def merged(
    contents: list[tuple[str, Record]], class_from_folder: bool, faults: list[Fault]
) -> Record:
    """Return the content of several files as one: ids are counted anew, classes go by name."""
    images: dict[str, Record] = {}
    rows: list[tuple[str, Record]] = []
    kinds: dict[str, Record] = {}
    expected = "a folder named as its class" if class_from_folder else "a known category"
    for label, content in contents:
        owners = {}
        for image in content["images"]:
            name = str(image.get("file_name"))
            row = images.setdefault(name, image | {"id": len(images) + 1})
            owners[id_of(image, "id")] = row["id"]
        lone = next(iter(owners.values())) if len(owners) == 1 else None
        own = {it["name"]: it for it in content.get("categories", []) if is_name(it.get("name"))}
        names = {id_of(it, "id"): name for name, it in own.items()}
        if class_from_folder:
            own, names = {}, {}
        for number, row in enumerate(content["annotations"]):
            record = f"annotation {shown(row.get('id', number))}"
            folder = Path(label).parent.name
            said = folder if class_from_folder else names.get(id_of(row, "category_id"))
            owner = owners.get(id_of(row, "image_id"), lone)
            if not said:
                faults.append(Fault(label, record, expected, shown(row.get("category_id"))))
            elif owner is None:
                found = shown(row.get("image_id"))
                faults.append(Fault(label, record, "an `image_id` of the images", found))
            else:
                rows.append((said, row | {"id": len(rows) + 1, "image_id": owner}))
        kinds |= own
    kinds = {name: kinds.get(name, {}) for name in sorted({*kinds, *(said for said, _ in rows)})}
    numbers = {name: number for number, name in enumerate(kinds, start=1)}
    return {
        "images": list(images.values()),
        "categories": [it | {"id": numbers[name], "name": name} for name, it in kinds.items()],
        "annotations": [row | {"category_id": numbers[said]} for said, row in rows],
    }


def is_name(value: object) -> bool:
    """Return whether a value can be a class's name."""
    return isinstance(value, str) and bool(value)


def id_of(row: Record, key: str) -> int | str | None:
    """Return an id of a row, None where it is neither a number nor a text."""
    value = row.get(key)
    return value if isinstance(value, int | str) else None


def image_files(
    folder: Path, names: list[object], label: str, faults: list[Fault]
) -> dict[str, Path]:
    """Return the file of each image, looked for by its whole name, then by its last part alone.

    Per-image files often name the image without the folder that it lies in.
    """
    files: dict[str, Path] = {}
    last: dict[str, list[str]] = {}
    for name in names:
        if not isinstance(name, str):
            faults.append(Fault(label, "images", "a `file_name`, a text", shown(name)))
            continue
        fact = look_at_one(folder, name)
        if isinstance(fact, ImageFacts):
            files[name] = folder / name
            continue
        if not last:
            for it in images_below(folder):
                last.setdefault(it.rpartition("/")[2], []).append(it)
        matches = last.get(name, []) if "/" not in name else []
        if len(matches) == 1:
            files[name] = folder / matches[0]
        else:
            said = f"{len(matches)} files of this name" if matches else fact.found
            faults.append(Fault(label, f"image {name!r}", fact.expected, said))
    return files
