"""Pascal VOC: an XML file for each image, in Annotations/ beside JPEGImages/.

Corners count from 1 and belong to the box: xmin and ymin are a pixel more than the edge.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse
from tqdm import tqdm

from pseudolabel.errors import Fault
from pseudolabel.imports.source import Builder, Found, Record, Request, images_folder, safe

SPLITS = {"train": "gold", "val": "val", "test": "test"}
SETS = "ImageSets/Main"
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read(request: Request) -> Found:
    """Return the splits of ImageSets/Main, or all as one where there are none."""
    source, found = request.source, Found()
    folder = source / "Annotations" if (source / "Annotations").is_dir() else source
    images = images_folder(request, "JPEGImages", "images")
    files = sorted(folder.glob("*.xml"))
    if not files:
        found.faults.append(Fault(str(source), "Annotations", "XML files", "none"))
    sets = {
        split: stems_in(source / SETS / f"{name}.txt")
        for name, split in SPLITS.items()
        if (source / SETS / f"{name}.txt").is_file()
    }
    roots = {path.stem: read_xml(path, found.faults) for path in files}
    names = list(request.classes) or sorted(
        {it for root in roots.values() for it in names_in(root)}
    )
    for split, stems in (sets or {request.split: list(roots)}).items():
        builder = Builder(images, request.classes or names)
        for stem in tqdm(stems, desc=f"reading {split}", unit="img", mininterval=2):
            root = roots.get(stem)
            if stem not in roots:
                builder.fault(f"{SETS} of {split}", repr(stem), "an XML file", "none")
            elif root is not None:
                add_image(builder, f"{stem}.xml", stem, root)
        found.splits[split] = builder.finished()
        found.faults += builder.faults
    return found


def stems_in(path: Path) -> list[str]:
    """Return the images that a set names, one a line."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.split()[0] for line in lines if line.strip()]


def read_xml(path: Path, faults: list[Fault]) -> Element | None:
    """Return the root of an XML file, None with a fault where it is none."""
    try:
        root: Element = parse(path).getroot()
    except (OSError, ParseError, DefusedXmlException, ValueError) as error:
        said = "entities, which may do harm" if isinstance(error, DefusedXmlException) else error
        faults.append(Fault(path.name, "", "an XML file", str(said)))
        return None
    return root


def names_in(root: Element | None) -> list[str]:
    """Return the classes of an image's objects."""
    found = root.findall("object") if root is not None else []
    return [it.findtext("name", "").strip() for it in found if it.findtext("name", "").strip()]


def add_image(builder: Builder, file: str, stem: str, root: Element) -> None:
    """Add an image with its objects."""
    said = (root.findtext("filename") or "").strip()
    # The name inside is often another tool's; the file of the XML's own name is the image then.
    names = [said, *(f"{stem}{suffix}" for suffix in (".jpg", ".jpeg", ".png", ".bmp"))]
    name = next((it for it in names if it and safe(builder.folder, it)), said or f"{stem}.jpg")
    image = builder.add_image(file, name)
    if image is None:
        return
    for number, item in enumerate(root.findall("object"), start=1):
        record = f"object {number}"
        corners = [item.findtext(f"bndbox/{corner}", "") for corner in CORNERS]
        try:
            left, top, right, bottom = (float(corner) for corner in corners)
        except ValueError:
            builder.fault(file, record, "a bndbox of 4 numbers", ", ".join(corners))
            continue
        box = [left - 1, top - 1, right - left + 1, bottom - top + 1]
        name = item.findtext("name", "").strip()
        builder.add_label(file, record, image, name, bbox=box, **fields_of(item))


def fields_of(item: Element) -> Record:
    """Return what else is said of an object, as `difficult` or `truncated`, numbers as numbers."""
    fields: Record = {}
    for child in item:
        text = (child.text or "").strip()
        if child.tag not in ("name", "bndbox") and text and not len(child):
            fields[child.tag] = int(text) if text.isdecimal() else text
    return fields
