from html.parser import HTMLParser

from pseudolabel.pages import html

EVIL = "<script>alert(1)</script>"


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, _):
        self.tags.append(tag)


def test_all_texts_are_escaped(tmp_path):
    parts = [
        html.heading(EVIL),
        html.paragraph(EVIL),
        html.table([EVIL], [[EVIL]]),
        html.bars([EVIL], [(EVIL, [0.5])]),
        html.figure(b"jpeg", EVIL),
        html.legend([EVIL], ["#ff0000"]),
    ]
    html.write_page(tmp_path / "page.html", EVIL, parts)
    text = (tmp_path / "page.html").read_text()
    page = Tags()
    page.feed(text)
    assert "script" not in page.tags
    assert text.count("&lt;script&gt;") == 10


def test_bars_have_the_width_of_their_share():
    table = html.bars(["label", "share"], [("rod", [0.25])])
    assert 'style="width:25px"></span>25.0%' in table
