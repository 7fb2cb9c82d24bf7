"""The section `report`: what the pages show."""

from __future__ import annotations

from pseudolabel.params.types import Flag, Section


class Report(Section):
    """The pages in report/."""

    test_errors: Flag
    """Whether to show the errors on test, too."""
