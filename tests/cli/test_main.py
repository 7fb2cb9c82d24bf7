from pseudolabel.__main__ import COMMANDS
from tests.builders import pseudolabel


def test_help_lists_every_command():
    status, output, _ = pseudolabel("--help")
    assert status == 0
    assert all(name in output for name in COMMANDS)
