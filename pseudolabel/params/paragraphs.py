"""The prose of docs/parameters.md: what a line per parameter cannot say."""

from __future__ import annotations

from pseudolabel.params.filter_paragraphs import FILTER

PARAGRAPHS = {
    "general": """\
A new value of `round` builds more rounds; the finished ones stay.
""",
    "data": """\
`root` may lie outside the project. A relative path to such a folder does not work with
`dvc exp run --temp` and `--queue`. As shipped, it is the generated sample of the task.

`root: s3://bucket/folder` reads images from a bucket, with up to `cache_gb` GB of them kept on this
machine. [scale.md](scale.md) says how.

`workers` are processes beside the one that computes: 0 on few CPU cores, 4 or more beside a GPU.
""",
    "model": """\
A zoo name is `mmdet::<folder>/<file>.py` for detection and instance, `mmseg::...` for semantic, and
`mmpretrain::...` for classification. [models.md](models.md) lists the tested ones. DVC follows your
own files in configs/&lt;task&gt;/.

`weights` are the weights that training starts from:

- `champion`: a student continues from the champion that teaches it. Round 0 starts from random
  weights. A student with another config starts from its packaged backbone, or random weights.
- null: random weights in every round, so that rounds of equal length can be compared.
- `backbone`: the pretrained backbone that the model's config names.
- a path or a URL: all weights that fit are loaded. Code in the file is never run. DVC does not
  follow the file, so give other weights another name.

`round_0` makes a file of predictions round 0, in the place of a model that is trained on gold. It
is judged on val and test, and its students begin from a packaged backbone or random weights; see
[teachers.md](teachers.md#round-0-without-training).

Images are fitted into `image_size` without distortion, and padded (to multiples of 32 for most
models). `auto` is the median size of gold's images, but at most 256 pixels a side.

`config`, `weights` and `image_size` may each be a list with one value per round, starting with
round 0. Later rounds use the last value. So a large teacher can train a small student by silver:

    model:
      config:
      - mmdet::rtmdet/rtmdet_m_8xb32-300e_coco.py
      - mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py
""",
    "prepare": """\
`val_share` applies if the raw data has no val. `tuning_share` is set aside to choose thresholds and
weights, and is never part of the reported scores; 0 works only with fixed thresholds.

With `folds`, gold is cut into folds. Number `fold` becomes val, unless the raw data has a val.

`duplicate_distance` compares perceptual hashes of 64 bits. With null, only exact copies are found,
and the images need not be decoded for it.

`max_pixels` is a guard of memory: a file of some kilobytes may hold hundreds of millions of pixels.
A larger image of gold, val or test is a fault, and one of the pool is left out.

`partial` says which labels of gold are not complete: `all`, or a list of classes, images or both,
such as `[Platelets]` or `[a/1.jpg, a/2.jpg]`. Each round then adds objects of silver to these
images, where no gold label overlaps, and hides uncertain ones; see
[settings.md](settings.md#labels-are-incomplete).

With `transductive`, the test images are pseudo-labelled as well, as competitions allow. All metrics
on test are then called `test_transductive`.
""",
    "train": """\
### Gold and silver

`gold_share` may be a list with one value per round, starting with round 1; later rounds use the
last value. `{start: 0.5, end: 0.8, rounds: 4}` changes evenly from round 1 to round 4, so that
silver counts less and less. Each batch has at least one gold image.

`oversample_threshold` repeats images with a class that fewer than this share of images show, by the
square root of the ratio (repeat factors, Gupta et al. 2019).

With `silver_weights: score`, a silver object counts about as much as its score says: in each step,
an object with the score 0.7 is hidden with a probability of 0.3. `equal` counts all silver objects
alike ([what both gave](benchmarks.md#from-packaged-weights)).

With `soft_labels`, a student learns the probabilities of all classes that its teacher gave a silver
image (Hinton et al. 2015), and not only the most likely class. With both `mixup` and `cutmix`, each
batch uses one of them at random.

### Learning rate and weights

From a hundredth of it, `learning_rate` rises in `warmup_iterations`, then falls to the share
`final_learning_rate`. `backbone_learning_rate` keeps more of what a pretrained backbone knows.

`ema_momentum` averages the weights over time; the average is stored and used. A CPU always computes
in float32, even with `mixed_precision`. A training that was stopped continues from its last
checkpoint.

`snapshots` are weights at equal distances in the training: 2 keeps those at one third and at two
thirds, averaged like the last weights. `pseudo_label.stability: checkpoints` and
`evaluate.select: best` need them.

### Optimizers

`optimizer` takes the name and the arguments of an optimizer of torch. The tests train Adadelta,
Adagrad, Adam, AdamW, Adamax, ASGD, NAdam, RAdam, RMSprop, Rprop and SGD. `AdamP` and `SAM` come
from the package pytorch_optimizer. Norms and biases do not decay.

SAM wraps another optimizer, whose arguments stand beside its own:
`{type: SAM, base: SGD, momentum: 0.9, weight_decay: 0.0001, rho: 0.05}`. It computes each batch
twice, in float32, so an iteration takes twice as long. LBFGS, SparseAdam and Muon cannot train
these models; the message says why.

### Augmentations

`augmentations` takes transforms of the task's package and of mmcv: `RandomFlip`,
`RandomChoiceResize`, `ShearX`, `Rotate`, `Equalize`, `Brightness`, `Contrast`, `MinIoURandomCrop`,
`PhotoMetricDistortion` and more. Those of albumentations begin with `albumentations.`. Boxes, masks
and label maps change with the image, and objects that leave it are dropped:

    train:
      augmentations:
      - {type: RandomFlip, prob: 0.5}
      - {type: albumentations.ShiftScaleRotate, p: 0.5}
      - {type: albumentations.OneOf, transforms: [{type: GaussianBlur}, {type: MotionBlur}], p: 0.3}

They run before images are fitted to `model.image_size`; `crop` runs after it. Predictions always
see whole images.

`silver_augmentations` run on silver alone, after `augmentations`
([example](settings.md#few-labels-and-many-images)). Under the holes of cutout
(`albumentations.CoarseDropout`), label maps are unlabelled, so the loss ignores these pixels.
Objects keep their boxes and masks, even those wholly under a hole.

Some transforms mix several images: `CopyPaste` (instance), `Mosaic` and `MixUp` (detection),
`CachedMosaic` and `CachedMixUp` (both), and `RandomMosaic` (semantic). They mix gold with gold and
silver with silver. In `silver_augmentations`, `{type: PasteGold, p: 0.5, max_objects: 10}`
pastes up to 10 objects of a random gold image into a silver image, with a probability of 0.5
(detection and instance). An object of which less than `min_visible` (0.5) stays visible is hidden.

Before training, both lists are checked, and tried on the first image. The command
`python -m pseudolabel augmentations` shows them on ten images of gold, in augmentations.html.

### Several processes and machines

`batch_size` counts the images of one step over all processes of all machines, so `learning_rate`
stays the same with any number of them. Each process takes `batch_size` / (`processes` x `machines`)
images, which must be a whole number. Batch norms and the loss curve also count the images of all
processes. [scale.md](scale.md#training-on-several-machines) says how to start several machines, and
how far the results are the same.

`launcher.restarts` counts for each machine. If a process dies, all processes start again from the
last checkpoint.
""",
    "pseudo_label": """\
`teachers` are the models that label:

- `champion`: the champion of the round before.
- `folds`: the champions that `python -m pseudolabel folds` collected, together.
- a list of model folders, of files of predictions, or of both; `champion` may be one of them.
  Models may be any of the task, of any image size. DVC follows the folder teachers/, and no other:
  give other models and files another name, or put files there.
- a list of such lists, one per round from round 1 on; later rounds use the last one:
  `[[teachers/dino.json], [champion]]`.

A file of predictions comes from any other model. It is a path, or
`{file: teachers/dino.json, classes: {cell: disc}, ids: pool.json}`. [teachers.md](teachers.md) says
which files are read, and what `classes` and `ids` mean. `stability` needs models.

The predictions of all models, scales and mirrored images are combined. Probabilities are averaged.
Boxes are fused (weighted boxes fusion, Solovyev et al. 2021): a fused box is the mean of boxes that
overlap. Its score is their mean score, and it is lower if not all predictions have the box. Of
masks, the best one stays. A file counts as much as a model. Every model, scale and mirrored image
takes its own time.

`stability` compares each prediction with a second one, and stores how well they agree:

- `checkpoints`: predictions of the teacher earlier in its training (ST++, Yang et al. 2022), and
  later if the teacher is a snapshot. This takes 1 + `train.snapshots` times as long.
- `flip`: the prediction of the mirrored image. This takes twice as long.

`shard_images` must be a multiple of `batch_size`. If labelling is stopped, at most one shard is
lost. Predictions below `score_floor` are discarded.

With `workers.ray`, the workers of a [Ray](https://www.ray.io) cluster label the pool, shard by
shard: `local` starts a cluster on this machine, `auto` takes the one that runs here, and an address
such as `10.0.0.5:6379` one elsewhere. `num_cpus` and `num_gpus` are what each worker reserves, so
they decide how many workers there are. The predictions are the same as those of one process.
[scale.md](scale.md) says what the machines need.
""",
    "filter": FILTER,
    "evaluate": """\
`measure` decides which model is the champion, by val; intervals of gains use it, too. Semantic uses
the mean IoU, and classification uses top1.

`select: best` takes, of the last weights of a training and its `train.snapshots`, those with the
best score on tuning; of equal ones, the later ones. The score is `measure`, or the main metric.
Everything that follows uses these weights. Val has no part in the choice. Only if tuning has no
images (`prepare.tuning_share: 0`), val chooses; a line and the table of rounds say so, because
scores on val are then too good. `final` takes the iteration that the last round chose.

`nms_iou`, `flip` and `scales` work as in `pseudo_label`. For example, `[0.5, 0.75, 1.0, 1.25]` with
a model of 512 pixels predicts at 256, 384, 512 and 640 pixels.
""",
    "export": """\
`models` are the champion of the last round, the champions of all `folds` together, or a list of
model folders. Models that were trained on the images of `split` are refused.

DVC does not follow the folder `images`, so give other images another name. `map_size` is for
semantic. `max_weights_mb` stops the export if the weights of all models together are larger (1 MB
is a million bytes). `onnx` is for classification and semantic, with one model.

`order` is a CSV with the columns `file` and `order` (a number), for measures_by_image.csv.

[results.md](results.md) lists the fields for `columns`.
""",
    "tune": """\
`trials` counts the trainings of earlier runs on the same inputs.

`parameters` lists what is searched, from the sections `train` and `model`. Each entry is a range or
a choice: `{name: train.crop, choices: [null, [64, 64]]}`. A range takes whole numbers if both
bounds are whole. `log: true` searches orders of magnitude evenly.

`inference_measure: f1` counts a box as right at an IoU of 0.5.

[tuning.md](tuning.md) shows both searches.
""",
}
"""Explanations per section, below its table."""
