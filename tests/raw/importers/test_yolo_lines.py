from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudolabel.raw.importers.yolo_lines import LineError, parse_line

SIZE = (100, 50)
BOX = {"bbox": [30.0, 15.0, 40.0, 20.0]}
FIVE = "0.4 0.4 0.6 0.4 0.5 0.5 0.6 0.6 0.4 0.6"
OUTLINE = "0.2 0.2 0.4 0.1 0.5 0.3 0.4 0.5 0.2 0.5"


def fields_of(line, keypoints=None):
    class_index, fields = parse_line(line.split(), SIZE, 2, keypoints)
    assert class_index == 0
    return fields


def error_of(line, keypoints=None):
    with pytest.raises(LineError) as caught:
        parse_line(line.split(), SIZE, 2, keypoints)
    return str(caught.value)


def with_flags(flags):
    values = FIVE.split()
    points = [f"{values[2 * index]} {values[2 * index + 1]} {flag}" for index, flag in flags]
    return "0 0.5 0.5 0.4 0.4 " + " ".join(points)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 0.5 0.5 0.4 0.4", BOX),
        ("0 0.5 0.5 0.4 0.4 0.91", BOX | {"score": 0.91}),
        ("0 0.5 0.5 0.4 0.4 0.91 7", BOX | {"score": 0.91, "track_id": 7}),
    ],
)
def test_boxes_with_scores_and_numbers_of_a_tracker(line, expected):
    assert fields_of(line) == expected


def test_a_number_of_a_tracker_is_no_score():
    assert error_of("0 0.5 0.5 0.4 0.4 7").startswith("expected a score from 0 to 1")
    assert "found -0.1" in error_of("0 0.5 0.5 0.4 0.4 -0.1")
    assert "may be either" in error_of("0 0.5 0.5 0.4 0.4 0.91 1")


def test_a_triangle_at_the_edge_of_its_image_is_no_box():
    assert fields_of("0 0.8 0.8 0.9 0.9 0.7 1")["segmentation"] == [
        [80.0, 40.0, 90.0, 45.0, 70.0, 50.0]
    ]


def test_polygons_with_a_score_and_the_number_of_a_tracker():
    polygon = fields_of(f"0 {OUTLINE}")
    assert polygon == {
        "segmentation": [[20.0, 10.0, 40.0, 5.0, 50.0, 15.0, 40.0, 25.0, 20.0, 25.0]],
        "bbox": [20.0, 5.0, 30.0, 20.0],
    }
    assert fields_of(f"0 {OUTLINE} 0.5") == polygon | {"score": 0.5}
    assert fields_of(f"0 {OUTLINE} 0.5 12") == polygon | {"score": 0.5, "track_id": 12}


def test_rotated_boxes_are_polygons():
    fields = fields_of("0 0.3 0.3 0.6 0.35 0.55 0.7 0.25 0.6")
    assert fields["segmentation"] == [[30.0, 15.0, 60.0, 17.5, 55.0, 35.0, 25.0, 30.0]]


def test_keypoints_of_a_set_that_states_them():
    line = "0 0.5 0.5 0.4 0.4 0.4 0.4 2 0 0 0"
    points = {"keypoints": [40.0, 20.0, 2, 0.0, 0.0, 0], "num_keypoints": 1}
    assert fields_of(line, (2, 3)) == BOX | points
    assert fields_of("0 0.5 0.5 0.4 0.4 0.4 0.4 0 0", (2, 2)) == BOX | points
    assert fields_of(f"{line} 0.8 9", (2, 3)) == BOX | points | {"score": 0.8, "track_id": 9}


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_keypoints_is_a_fault(count):
    line = "0 0.5 0.5 0.4 0.4" + " 0.4 0.4 2" * count
    assert "2 keypoints of 3 numbers (`kpt_shape`)" in error_of(line, (2, 3))


@pytest.mark.parametrize(
    "flags",
    [
        list(enumerate((2, 2, 2, 2, 2))),
        list(enumerate((1, 1, 1, 1, 1))),
        list(enumerate((0, 2, 1, 2))),
        [(0, 2)],
    ],
    ids=["seen", "covered", "mixed", "one point"],
)
def test_keypoints_without_their_shape_are_refused(flags):
    assert "add `kpt_shape` to data.yaml" in error_of(with_flags(flags))


def test_tangled_points_in_a_box_are_refused_as_a_polygon():
    # The eyes, the nose and the corners of a mouth, within the box before them.
    face = "0.42 0.44 0.58 0.43 0.52 0.51 0.44 0.6 0.57 0.61"
    assert "add `kpt_shape` to data.yaml" in error_of(f"0 0.5 0.5 0.4 0.4 {face}")


def test_an_outline_with_one_crossing_is_a_polygon():
    start = "0.25 0.25 0.27 0.24 0.3 0.23 0.33 0.24 0.35 0.26 0.34 0.3 0.33 0.33 0.3 0.34"
    outline = f"{start} 0.27 0.33 0.27 0.31 0.28 0.35 0.25 0.3"
    assert len(fields_of(f"0 {outline}")["segmentation"][0]) == 24


NUMBER = st.sampled_from(["0", "1", "2", "7", "0.5", "0.25", "-1", "1e300", "nan", "x", ""])


@given(
    parts=st.lists(NUMBER, max_size=20),
    keypoints=st.sampled_from([None, (2, 3), (1, 2)]),
)
def test_any_line_is_read_or_refused(parts, keypoints):
    # Any other error fails the test.
    with suppress(LineError):
        _, fields = parse_line(parts, SIZE, 2, keypoints)
        assert len(fields["bbox"]) == 4
