"""Take the pictures of the report: the sample region with its change and protected areas, in both languages, by a real browser.

sinks demo
sinks change sample_data/change.toml --out change
sinks reserves change --areas sample_data/reserves.gpkg --id id --name name --out reserves
python docs/make_report_pictures.py sinks-demo change reserves docs/images

It takes the Debian packages chromium, chromium-driver and fonts-wqy-microhei.
"""

from __future__ import annotations

import base64
import shutil
import sys
import tempfile
from pathlib import Path

from selenium import webdriver

from pipelines.report import page, runfolder

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars")  # fmt: skip
WIDTH, SCALE = 1180, 0.8
LAST = "map"
"""The picture ends below this section."""


def main(run: Path, beside: list[Path], folder: Path) -> None:
    """One picture a language."""
    whole, others = runfolder.read(run, beside)
    with tempfile.TemporaryDirectory() as work:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (*FLAGS, f"--user-data-dir={work}/profile"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            for language in ("en", "zh"):
                path = Path(work) / f"{language}.html"
                page.write(whole, others, page.Look(language), path)
                (folder / f"report_{language}.png").write_bytes(taken(browser, path))
        finally:
            browser.quit()


def taken(browser: webdriver.Chrome, path: Path) -> bytes:
    """The page from its head to the end of the section."""
    size = {"width": WIDTH, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())
    bottom = browser.execute_script(
        f"return document.getElementById('{LAST}').getBoundingClientRect().bottom + window.scrollY"
    )
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": bottom + 16, "scale": SCALE}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    return base64.b64decode(shot["data"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(p) for p in sys.argv[2:-1]], Path(sys.argv[-1]))
