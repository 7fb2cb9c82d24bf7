"""Reading the data of pages as a browser does."""

import json
import re


def read_data(path):
    """The name and the value of a data file."""
    text = path.read_text(encoding="utf-8")
    pattern = r"\(window\.reportData = window\.reportData \|\| \{\}\)\[(\".*?\")\] = (.*);\n"
    found = re.fullmatch(pattern, text, re.DOTALL)
    return json.loads(found[1]), json.loads(found[2])
