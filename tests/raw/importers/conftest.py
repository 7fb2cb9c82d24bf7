import pytest

from tests.builders import write_image


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in (3, 7):
        write_image(folder / f"{number}.png", number)
    return folder
