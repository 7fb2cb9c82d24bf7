from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.splits.prepare import prepare
from tests.builders import splitting, write_image, write_json
from tests.raw.importers.importing import faults_of, imported


@st.composite
def coco_files(draw):
    """COCO files with scores, crowds and unknown fields."""
    values = st.one_of(st.integers(-5, 5), st.text(max_size=5), st.lists(st.booleans(), max_size=2))
    extra = st.dictionaries(st.sampled_from(["attributes", "occluded", "seen_by"]), values)
    rows = []
    for number in range(draw(st.integers(0, 6))):
        x, y = draw(st.integers(0, 20)), draw(st.integers(0, 15))
        row = {"id": 10 + number, "image_id": draw(st.sampled_from([3, 7])), "category_id": 5}
        row["bbox"] = [x, y, draw(st.integers(1, 20)), draw(st.integers(1, 15))]
        if draw(st.booleans()):
            row |= {"score": draw(st.floats(0, 1)), "iscrowd": draw(st.integers(0, 1))}
        rows.append(row | draw(extra))
    images = [
        {"id": number, "file_name": f"{number}.png", "width": 40, "height": 30} | draw(extra)
        for number in (3, 7)
    ]
    return {
        "info": draw(extra),
        "images": images,
        "categories": [{"id": 5, "name": "disc", "supercategory": "shape"}],
        "annotations": rows,
    }


@settings(deadline=None, max_examples=40)
@given(content=coco_files())
def test_coco_to_raw_layout_to_coco_keeps_every_field(content, photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    write_json(folder / "labels.json", content)
    written = imported("coco", folder / "labels.json", folder / "root", images=photos)["gold"]
    assert written == content
    again = imported("coco", folder / "root" / "gold.json", folder / "again")["gold"]
    assert again == content


def test_prepare_keeps_imported_annotations(tmp_path, photos):
    rows = [
        {"id": 4, "image_id": 3, "category_id": 5, "bbox": [1, 2, 30, 20], "iscrowd": 1},
        {"id": 9, "image_id": 7, "category_id": 5, "bbox": [0, 0, 40, 30], "iscrowd": 0},
    ]
    sides = {"width": 40, "height": 30}
    content = {
        "images": [{"id": number, "file_name": f"{number}.png"} | sides for number in (3, 7)],
        "categories": [{"id": 5, "name": "disc"}],
        "annotations": rows,
    }
    write_json(tmp_path / "labels.json", content)
    imported("coco", tmp_path / "labels.json", tmp_path / "root", images=photos)
    write_image(tmp_path / "root" / "images" / "pool.png", 50)
    prepare(tmp_path / "root", tmp_path / "out", "detection", splitting(0.5), 0)
    kept = {}
    for split in ("gold", "val"):
        dataset = SplitFolder(tmp_path / "out" / split).read()
        by_image = dataset.annotations.by_image(dataset.images.ids)
        for name, rows in zip(dataset.images.file_names, by_image, strict=True):
            (box,) = rows.boxes_xyxy.tolist()
            kept[int(rows.ids[0])] = (name, box, bool(rows.crowds[0]))
    assert kept == {4: ("3.png", [1, 2, 31, 22], True), 9: ("7.png", [0, 0, 40, 30], False)}


def livestock(root):
    """One file per image in one folder per class; all have category id 1 in an outer object."""
    for number, animal in enumerate(("cow", "pig", "pig")):
        name = f"{animal}_{number}.png"
        write_image(root / "images" / animal / name, number)
        content = {
            "image": {"file_name": name, "width": 40, "height": 30},
            "annotations": [
                {"id": 1, "category_id": 1, "bbox": [1, 2, 10, 12], "weight_kg": 80 + number}
            ],
        }
        write_json(root / "labels" / animal / f"{number}.json", {"label_info": content})
    return root


def test_classes_come_from_the_folders_of_the_files(tmp_path):
    source = livestock(tmp_path / "source")
    written = imported(
        "coco",
        source / "labels",
        tmp_path / "root",
        images=source / "images",
        class_from_folder=True,
    )["gold"]
    names = {row["id"]: row["name"] for row in written["categories"]}
    labels = {
        row["image_id"]: (names[row["category_id"]], row["weight_kg"])
        for row in written["annotations"]
    }
    files = {row["id"]: row["file_name"] for row in written["images"]}
    assert {files[image_id]: label for image_id, label in labels.items()} == {
        "cow_0.png": ("cow", 80),
        "pig_1.png": ("pig", 81),
        "pig_2.png": ("pig", 82),
    }
    assert len({row["id"] for row in written["annotations"]}) == 3


def test_without_the_option_wrong_category_ids_are_faults(tmp_path):
    source = livestock(tmp_path / "source")
    found = faults_of("coco", source / "labels", tmp_path, images=source / "images")
    assert found[0] == "cow/0.json: annotation 1: expected a known category, found 1"
    assert len(found) == 3


def test_images_must_be_inside_their_folder(tmp_path, photos):
    outside = {"id": 1, "file_name": "../secret.png", "width": 40, "height": 30}
    write_image(photos.parent / "secret.png", 1)
    content = {"images": [outside], "categories": [], "annotations": []}
    write_json(tmp_path / "labels.json", content)
    assert faults_of("coco", tmp_path / "labels.json", tmp_path, images=photos) == [
        "labels.json: image '../secret.png': expected a path inside images/, found '../secret.png'"
    ]
