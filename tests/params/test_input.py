"""Files that are no params.yaml at all, and values of every odd kind."""

import pytest

from pseudolabel.core.errors import ParamsError
from pseudolabel.params.keys import keys_of
from pseudolabel.params.loading import validate
from tests.params.conftest import changed, faults_of


def message_of(values):
    """The message about some values; empty if they are sound."""
    try:
        validate(values, "params.yaml")
    except ParamsError as error:
        return str(error)
    return ""


ODD = [None, True, -1, 0, 1e400, float("nan"), 10**40, "", "x", [], [[]], [None], {}, {1: {}}]


@pytest.mark.parametrize("value", ODD, ids=str)
def test_an_odd_value_is_accepted_or_reported_under_its_name(value):
    for name in sorted(keys_of("instance")):
        values = changed("instance", **{name.replace(".", "__"): value})
        text = message_of(values)
        # A rule may name the partner of the value.
        assert not text or name.partition(".")[0] in text
        assert len(text) < 1000


FILES = [
    ("a syntax error", "seed: 3\ntrain: [\n", "line 3: not valid YAML: "),
    ("a key twice", "seed: 3\nround: 1\nseed: 4\n", "line 3: not valid YAML: found duplicate key"),
    ("a list", "- 3", "expected sections, found a list"),
    ("a number", "3", "expected sections, found a number"),
    ("nothing", "", "expected sections, found nothing"),
    ("a comment", "# x\n", "expected sections, found nothing"),
    ("a tab", "data:\n\troot: x\n", "line 2: not valid YAML: found character"),
    (
        "blocks in blocks",
        "".join(" " * k + "a:\n" for k in range(1000)),
        "not valid YAML: too many",
    ),
    ("code", "round: !!python/object/apply:os.getcwd []", "not valid YAML"),
    ("levels", "a: " + "[" * 200 + "]" * 200, "expected at most 20 levels, found more"),
    ("too many levels", "a: " + "[" * 400_000, "not valid YAML: too many levels"),
    ("too long", "a: " + "x" * 1_000_001, "expected at most 1,000,000 bytes, found 1,000,004"),
    ("a huge number", "seed: " + "9" * 10_000, "not valid YAML"),
    ("a huge number in hexadecimal", "seed: 0x" + "f" * 5000, "expected numbers of at most 1,000"),
    ("a value inside itself", "a: &a [*a]", "expected at most 20 levels, found more"),
    ("control characters", "a: \x00", "not valid YAML"),
    (
        "aliases",
        "a0: &a0 [1, 1]\n"
        + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 12)),
        "expected at most 100,000 values, found more",
    ),
]


@pytest.mark.parametrize(
    ("text", "message"), [case[1:] for case in FILES], ids=[case[0] for case in FILES]
)
def test_a_file_that_is_no_mapping_of_sections_is_refused(write, text, message):
    assert message in faults_of(write(text))


ENCODINGS = {
    "utf-16": "expected a text in UTF-8, found UTF-16 or no text",
    "utf-16-le": "expected a text in UTF-8, found UTF-16 or no text",
    "latin-1": "line 2: expected a text in UTF-8, found another encoding, such as Latin-1",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_another_encoding_is_named(tmp_path, encoding):
    path = tmp_path / "params.yaml"
    path.write_bytes("seed: 0\n# größe\n".encode(encoding))
    assert faults_of(path).startswith(f"{path}: {ENCODINGS[encoding]}")
    assert "\n" not in faults_of(path)


BOMB = (
    "task: &d [&c [&b [&a [1, 1, 1, 1, 1, 1, 1, 1, 1], *a, *a, *a, *a, *a, *a], "
    "*b, *b, *b, *b, *b], *c, *c, *c, *c, *c]\nround: *d\n"
)
MANY = "".join(f"k{number}: 1\n" for number in range(20_000))
LONG = "".join(f"? {'x' * 900}{number}\n: 1\n" for number in range(900))


@pytest.mark.parametrize("text", [BOMB, MANY, LONG], ids=["aliases", "many keys", "long keys"])
def test_messages_about_huge_files_are_short(write, text):
    assert len(faults_of(write(text))) < 20_000


def test_a_round_above_the_last_says_where_rounds_are_listed():
    assert message_of(changed("detection", round=12)).endswith(
        "round: expected a whole number from 0 to 9; found 12; rounds/dvc.yaml ends with round 9 "
        "(more: see docs/settings.md)"
    )


@pytest.mark.parametrize("task", [["detection"], {"a": 1}, 3, None])
def test_a_task_that_is_no_name_is_one_line(task):
    text = message_of(changed("detection", task=task))
    assert "task: expected detection, instance, semantic or classification; found " in text
    assert len(text.splitlines()) == 2


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "params.yaml"
    expected = "expected a readable file, found No such file or directory"
    assert faults_of(path) == f"{path}: {expected}"
