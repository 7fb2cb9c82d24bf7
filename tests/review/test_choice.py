"""Which images of the pool are chosen for a person."""

import numpy as np
import pytest

from pseudolabel.review.choice import (
    at_random,
    doubtful_and_diverse,
    most_diverse,
    most_doubtful,
)

NOTHING = np.zeros((0, 2), np.float32)


def test_the_most_doubtful_come_first_and_ties_keep_their_order():
    doubts = np.array([0.1, 0.9, 0.5, 0.9], np.float32)
    assert most_doubtful(doubts, 3).tolist() == [1, 3, 2]
    assert most_doubtful(doubts, 9).tolist() == [1, 3, 2, 0]


def test_diverse_images_are_far_from_each_other_and_from_known_ones():
    features = np.array([[0, 0], [0.1, 0], [5, 0], [5.1, 0], [0, 9]], np.float32)
    assert most_diverse(features, NOTHING, 3).tolist() == [0, 4, 3]
    known = np.array([[0, 9], [5, 0]], np.float32)
    assert most_diverse(features, known, 1).tolist() == [0]
    assert sorted(most_diverse(features, NOTHING, 9).tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("seed", range(5))
def test_the_greedy_choice_is_at_most_twice_as_far_as_the_best_one(seed):
    # Gonzalez 1985: the largest distance to the chosen ones is at most twice the smallest possible.
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(9, 2)).astype(np.float32)

    def reach(rows):
        distances = np.linalg.norm(features[:, None] - features[list(rows)][None], axis=2)
        return distances.min(axis=1).max()

    best = min(reach((a, b, c)) for a in range(9) for b in range(a + 1, 9) for c in range(b + 1, 9))
    assert reach(most_diverse(features, NOTHING, 3)) <= 2 * best + 1e-6


def test_both_takes_diverse_images_among_the_doubtful():
    doubts = np.array([0.9, 0.8, 0.7, 0.6, *np.zeros(4)], np.float32)
    features = np.array([[0, 0], [0.1, 0], [0.2, 0], [3, 0], *np.full((4, 2), 9)], np.float32)
    # Four candidates for one image; the others are far, but not doubtful.
    known = np.array([[0, 0]], np.float32)
    assert doubtful_and_diverse(doubts, features, known, 1).tolist() == [3]


def test_random_images_depend_on_the_seed_alone():
    first, second = at_random(20, 5, 0), at_random(20, 5, 0)
    assert first.tolist() == second.tolist()
    assert len(set(first.tolist())) == 5
    assert at_random(20, 5, 1).tolist() != first.tolist()


def test_both_leaves_out_the_surer_half_of_the_images():
    # The image farthest from all others is one that the filter is sure about.
    features = np.array([[0, 1], [0, 2], [0, 3], [9, 9]], np.float32)
    doubts = np.array([0.9, 0.8, 0.2, 0.1], np.float32)
    known = np.zeros((1, 2), np.float32)
    assert sorted(doubtful_and_diverse(doubts, features, known, 2).tolist()) == [0, 1]
