"""XML of other tools, read without entities."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse

from pseudolabel.core.errors import Fault
from pseudolabel.core.regular_files import read_content


def read_xml(path: Path, label: str, faults: list[Fault]) -> Element | None:
    """Return the root of an XML file; add a fault and return None if the file is not valid XML.

    Args:
        path: the file.
        label: the name of the file, for the fault.
        faults: the list to which the fault is added.
    """
    try:
        root: Element = parse(io.BytesIO(read_content(path))).getroot()
    except (OSError, ParseError, DefusedXmlException, ValueError, LookupError) as error:
        harmful = isinstance(error, DefusedXmlException)
        found = "entities, which are not allowed" if harmful else str(error)
        faults.append(Fault(label, "", "an XML file", found))
        return None
    return root


def xml_value(text: str) -> int | str:
    """Return a text of XML, whole numbers as int."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else text
