"""A real browser without a window, and reports that it opens as files."""

import shutil
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from tests.report.project import REPORT, make_project

SECONDS = 20
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
]
COLLECT = """
window.refused = [];
document.addEventListener("securitypolicyviolation", function (event) {
  window.refused.push(event.violatedDirective + " " + event.blockedURI);
});
"""


class Browser:
    """Opens pages of a report, and collects what the browser complains about."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, report, page, width=1200, height=900):
        """Open a page anew, with a window of some size."""
        self.driver.get("about:blank")
        self.resize(width, height)
        self.driver.get(f"file://{report}/{page}")

    def resize(self, width, height=900):
        """Give the window a size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.wait("return window.innerWidth === arguments[0]", width)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, *arguments):
        """Wait until a script returns something true, and return it."""
        waiting = WebDriverWait(self.driver, SECONDS, poll_frequency=0.02)
        return waiting.until(lambda driver: driver.execute_script(script, *arguments))

    def set(self, name, value):
        """Set a control of the silver page, as a person does."""
        script = """
            const input = document.getElementById(arguments[0]);
            if (input.type === "checkbox") { input.checked = arguments[1]; }
            else { input.value = arguments[1]; }
            input.dispatchEvent(new Event("input", { bubbles: true }));
        """
        self.run(script, name, value)

    def press(self, key):
        """Press a key where the focus is."""
        self.driver.switch_to.active_element.send_keys(key)

    def complaints(self):
        """Errors of the console, and what the policy of a page refused."""
        return [*self.driver.get_log("browser"), *self.run("return window.refused")]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if not all(programs):
        pytest.fail("chromium and chromedriver are missing: run `sh setup/browser.sh`")
    options = ChromeOptions()
    for option in [*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"]:
        options.add_argument(option)
    options.binary_location = programs[0]
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, Service(programs[1]))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COLLECT})
    yield Browser(driver)
    driver.quit()


EVIL = "<img src=x onerror='window.evil=1'>"


def make_report(folder, task, **sample) -> Path:
    """The folder of a report; the first class and one image have names of HTML."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # Data with such a class is refused. The pages must not depend on that.
        patch.setattr("pseudolabel.formats.coco_rows.describe_class_fault", lambda _: None)
        make_project(task, names=[EVIL], file_name=f"{EVIL}.png", **sample).write_report()
    return folder / REPORT


@pytest.fixture(scope="session")
def detection(tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("detection"), "detection", pool=40)


@pytest.fixture(scope="session")
def semantic(tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("semantic"), "semantic")


@pytest.fixture(scope="session")
def classification(tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("classification"), "classification")


@pytest.fixture(scope="session")
def large_images(tmp_path_factory):
    """Images that are larger than their thumbnails."""
    sample = {"width": 480, "height": 96, "gold": 3, "val": 4, "test": 2, "pool": 6}
    folder = tmp_path_factory.mktemp("large")
    return make_report(folder, "detection", **sample)
