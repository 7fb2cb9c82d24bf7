import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.records import Annotations
from pseudolabel.votes import joint_votes
from tests.builders import predictions, random_predictions, same_rows


def rows_of(found):
    return [
        (int(image), int(kind), round(float(score), 4))
        for image, kind, score in zip(
            found.image_ids, found.category_ids, found.scores, strict=True
        )
    ]


def test_the_score_is_the_mean_over_all_models():
    one = predictions([(1, 1, (0, 0, 20, 20), 0.9), (1, 2, (50, 50, 60, 60), 0.6)])
    other = predictions([(1, 1, (1, 0, 21, 20), 0.5)])
    third = predictions([])
    assert rows_of(joint_votes([one, other, third])) == [(1, 1, 0.4667), (1, 2, 0.2)]


def test_the_best_box_stays():
    one = predictions([(1, 1, (0, 0, 20, 20), 0.5)])
    other = predictions([(1, 1, (2, 0, 22, 20), 0.8)])
    assert joint_votes([one, other]).boxes_xyxy.tolist() == [[2, 0, 22, 20]]


def test_classes_and_images_do_not_vote_for_each_other():
    one = predictions([(1, 1, (0, 0, 20, 20), 0.8), (2, 1, (0, 0, 20, 20), 0.8)])
    other = predictions([(1, 2, (0, 0, 20, 20), 0.8)])
    assert rows_of(joint_votes([one, other])) == [(1, 1, 0.4), (1, 2, 0.4), (2, 1, 0.4)]


def test_nothing_found_by_anybody():
    assert not len(joint_votes([Annotations.empty(), Annotations.empty()]))


def by_the_loop(found, same_iou=0.55):
    """The same, one object at a time."""
    pooled = sorted(
        (
            (-float(score), number, voter, int(image), int(kind), box)
            for voter, part in enumerate(found)
            for number, (image, kind, box, score) in enumerate(
                zip(part.image_ids, part.category_ids, part.boxes_xyxy, part.scores, strict=True)
            )
        ),
        key=lambda it: (it[0], it[2], it[1]),
    )

    def iou(one, other):
        sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
        shared = np.prod(np.maximum(sides, 0))
        return shared / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared)

    kept = []
    for row in pooled:
        same = [it for it in kept if it[3:5] == row[3:5] and iou(it[5], row[5]) > same_iou]
        if not same:
            kept.append(row)
    votes = np.zeros((len(kept), len(found)))
    names = {id(row) for row in kept}
    for row in pooled:
        # The first that fits: kept ones are in order of their scores.
        mine = next(
            number
            for number, it in enumerate(kept)
            if it is row
            or (id(row) not in names and it[3:5] == row[3:5] and iou(it[5], row[5]) > same_iou)
        )
        votes[mine, row[2]] = max(votes[mine, row[2]], -row[0])
    scores = [
        (row[3], row[4], round(float(mean), 4))
        for row, mean in zip(kept, votes.mean(axis=1), strict=True)
    ]
    return sorted(scores)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_votes_are_those_of_the_plain_loop(seed, voters):
    rng = np.random.default_rng(seed)
    found = [random_predictions(rng, int(rng.integers(0, 25)), 2, 2) for _ in range(voters)]
    ours = sorted(rows_of(joint_votes(found)))
    theirs = by_the_loop(found)
    assert [row[:2] for row in ours] == [row[:2] for row in theirs]
    assert [row[2] for row in ours] == pytest.approx([row[2] for row in theirs], abs=2e-4)


def test_equal_models_change_nothing_but_the_order():
    rng = np.random.default_rng(0)
    alone = joint_votes([random_predictions(rng, 30, 3)])
    assert same_rows(joint_votes([alone, alone]), alone)
