"""The prose of the section `filter` in docs/parameters.md."""

from __future__ import annotations

FILTER = """\
### Thresholds

`score` is the lowest score of an object, confidence of a pixel, or probability of a class. It may
be:

- `auto`: one threshold per class, chosen on the split tuning (see below).
- a number for all classes, or one number per class: `{disc: 0.5, rod: 0.6}`.
- a list of these with one value per round, starting with round 1. Later rounds use the last value.
- `{start: 0.7, end: 0.4, rounds: 4}`, which changes evenly from round 1 to round 4.

`auto.aim` is the goal of `auto`:

- `f1`: the best balance of precision and recall.
- `precision`: the lowest threshold at which the share `at` of the labels is right.
- `share`: `at` silver labels for each label that gold would have.

For example: `dvc exp run -S filter.auto.aim=precision -S filter.auto.at=0.8`.

`auto` uses only the images of tuning. No model is trained on them, and no score is reported for
them. The threshold of a class with n labels there, fewer than 20, is a mean of its own, with weight
n/20, and that of all classes together. rounds/k/silver/thresholds.csv has the curves. report.json
has the chosen thresholds and their quality, and `dvc plots show` draws both.

`calibrate` scales scores by the temperature that makes them most likely on tuning (Guo et
al. 2017). It comes before all other filters.

### Objects

Objects with scores from `hide_score` up to the threshold of their class are hidden: the student
sees the mean colour of the image in their place. So they are neither labels nor background.
`min_confident_share` and `max_hidden_area` drop images with too many hidden objects.

`edge_margin` drops boxes near the edge of the image, which are often cut-off objects.
`min_boxes: 0` keeps images without objects as background.

`min_stability` is the part of a generous mask (pixels above 0.3) that is left in a strict mask
(pixels above 0.7). Models without mask scores, such as SOLOv2, pass. `max_overlap` counts the
largest overlap with a single better mask of any class.

### Images

`reliability` ranks the images: `score` by the confidence of the teacher, `stability` by the
agreement that `pseudo_label.stability` measures. `top_share` counts all readable images.

With `max_per_class`, an image stays if, for at least one of its classes, the more reliable images
have fewer labels than this.

All filters work together. First, boxes, masks and pixels are judged one by one, then against each
other. Then come single images, and last all images of the pool against each other. A higher
threshold never adds silver, with three exceptions:

- A crowded image may come under `max_boxes` when it has fewer objects.
- Other images may fill a quota.
- A mask under a mask of another class returns if only that class gets a higher threshold.

### Alarms

`alarms` reacts to suspicious silver: `warn`, `stop` or `off`. silver/report.json lists the alarms
in any case. There is an alarm if the share of a class is `alarm_factor` times larger or smaller
than in gold, or than in the silver of the round before. There is another alarm if silver grows
while its mean score falls. Silver without labels, or with labels of only one class, always stops.

The stage merge has no parameters: gold always wins, and silver lies on pool images only.
"""
