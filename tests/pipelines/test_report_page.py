"""The report in a real browser: no error, no request, and everything that a reader can press does what it says."""

from __future__ import annotations

import base64
import json
import shutil
import time
from urllib.parse import urlsplit

import pytest

from pipelines.report import printed
from reportruns import EVIL, written

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="takes the Debian packages chromium and chromium-driver"),
]
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--window-size=1280,900", "--force-prefers-reduced-motion")  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    downloads = tmp_path_factory.mktemp("downloads")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.downloads = downloads
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def files(demo_run, demo_change, demo_reserves, evil_run, tmp_path_factory):
    """Pages by name."""
    folder = tmp_path_factory.mktemp("pages")
    written(demo_run, folder / "demo.html", demo_change, demo_reserves)
    written(evil_run, folder / "evil.html", title=EVIL[0])
    written(demo_change, folder / "change.html")
    return folder


@pytest.fixture
def page(browser, files):
    """Opens a page; afterwards it must have asked for nothing and complained of nothing."""

    def opened(name="demo.html", width=1280, mobile=False):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": mobile}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get((files / name).as_uri())
        return browser

    browser.get_log("browser")
    browser.get_log("performance")
    yield opened
    assert browser.get_log("browser") == []
    asked = set()
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.add(urlsplit(message["params"]["request"]["url"]).scheme)
    assert asked <= {"file", "data", "blob"}


def css(driver, selector):
    return driver.find_elements(By.CSS_SELECTOR, selector)


def first(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def shown(driver, name):
    """Text of what the reader sees."""
    return first(driver, name).text


def names(driver):
    return [e.text for e in css(driver, "#table tbody th button")]


def choose(driver, key):
    first(driver, f'#layers input[value="{key}"]').click()


def over(driver, target, dx=0, dy=0):
    driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", target)
    ActionChains(driver).move_to_element_with_offset(target, dx, dy).perform()


def test_the_answer_comes_first_and_in_plain_words(page):
    d = page()
    assert "Qinglan" in d.title
    headings = [h.text for h in css(d, "h2") if h.is_displayed()]
    assert headings[0] == "In part: 3 of 8 targets are met or likely met" or headings[0].startswith("In part")
    assert shown(d, ".answer .first").startswith("Of the 8 targets set")
    assert len(css(d, ".gauge svg.scale")) >= 8


def test_the_map_draws_and_tells_values_under_the_pointer(page):
    d = page()
    assert len(css(d, "#leaflet path.leaflet-interactive")) == 24
    colors = {e.get_attribute("fill") for e in css(d, "#leaflet path.leaflet-interactive")}
    assert len(colors) == 5
    over(d, first(d, "#leaflet"))
    told = shown(d, "#hover")
    assert "Forest coverage" in told
    assert "%" in told
    assert "t C/ha" in told
    choose(d, "map-carbon_total")
    image = first(d, "#leaflet img.leaflet-image-layer")
    assert image.get_attribute("src").startswith("data:image/png")
    assert d.execute_script("return arguments[0].naturalWidth", image) > 300
    over(d, first(d, "#leaflet"), 12, 7)
    assert "Here: Carbon density" in shown(d, "#hover")
    choose(d, "map-ecosystem")
    over(d, first(d, "#leaflet"), -9, 5)
    assert "Here: Ecosystem" in shown(d, "#hover")
    assert "Cropland" in shown(d, "#legend")
    choose(d, "density_change")
    assert "t C/ha" in shown(d, "#legend")


def test_the_picture_lies_on_the_regions(page):
    """The regions' outline and the picture are drawn by two ways; on the screen they must meet."""
    d = page()
    choose(d, "map-carbon_total")
    picture = first(d, "#leaflet img.leaflet-image-layer").rect
    paths = [e.rect for e in css(d, "#leaflet path.leaflet-interactive")]
    west, east = min(p["x"] for p in paths), max(p["x"] + p["width"] for p in paths)
    south = max(p["y"] + p["height"] for p in paths)
    assert west == pytest.approx(picture["x"], abs=0.02 * picture["width"])
    assert east == pytest.approx(picture["x"] + picture["width"], abs=0.02 * picture["width"])
    assert south <= picture["y"] + picture["height"] + 3


def test_the_table_sorts_filters_and_leads_to_the_map(page):
    d = page()
    before = names(d)
    assert len(before) == 24
    first(d, '#table thead button[data-key="coverage"]').click()
    head = first(d, '#table thead button[data-key="coverage"]').find_element(By.XPATH, "..")
    assert head.get_attribute("aria-sort") == "descending"
    column = next(n for n, h in enumerate(css(d, "#table thead th")) if h == head) - 1
    values = [float(r.find_elements(By.TAG_NAME, "td")[column].text) for r in css(d, "#table tbody tr")]
    assert values == sorted(values, reverse=True)
    first(d, '#table thead button[data-key="coverage"]').click()
    assert names(d) != before
    first(d, "#find").send_keys("云岭")
    assert names(d) == ["云岭县"]
    assert "1 of 24" in shown(d, "#found")
    first(d, "#table tbody th button").click()
    assert "云岭县" in shown(d, "#hover")
    first(d, "#find").send_keys(Keys.BACKSPACE * 2 + "990103")
    assert names(d) == ["鹿鸣县"]


def test_the_table_can_be_downloaded(page, browser):
    d = page()
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(browser.downloads)}
    )
    first(d, "#download").click()
    path = browser.downloads / "regions.csv"
    for _ in range(50):
        if path.exists() and path.stat().st_size:
            break
        time.sleep(0.1)
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    lines = raw.decode("utf-8-sig").splitlines()
    assert len(lines) == 25
    assert lines[0].startswith("Code,Region,Forest coverage [%]")
    assert "云岭县" in lines[1]


def test_the_language_switches_everywhere(page):
    d = page()
    first(d, 'button[data-language="zh"]').click()
    assert d.execute_script("return document.documentElement.lang") == "zh-CN"
    assert "青岚" in d.title
    assert "区域内各地共设 8 项目标" in shown(d, ".answer .first")
    assert "亿立方米" in shown(d, "#figures")
    assert "森林覆盖率" in shown(d, "#table thead")
    assert "按像元" in shown(d, "#layers")
    assert first(d, 'button[data-language="zh"]').get_attribute("aria-pressed") == "true"
    labels = [e.get_attribute("aria-label") for e in css(d, "#leaflet, .scroll, .gauge")]
    assert all(any("\u4e00" <= c <= "\u9fff" for c in label) for label in labels)
    for word in ("碳储量", "碳密度", "碳汇量", "固碳速率"):
        assert word in shown(d, "main")
    assert d.execute_script("return [...document.querySelectorAll('.en')].every(e => !e.getClientRects().length)")
    first(d, 'button[data-language="en"]').click()
    assert "million m³" in shown(d, "#figures").replace("\u00a0", " ")


def test_it_opens_in_the_readers_own_language(page, browser):
    agent = browser.execute_script("return navigator.userAgent")
    browser.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": "zh-CN"})
    d = page()
    assert d.execute_script("return document.documentElement.dataset.lang") == "zh"
    assert "青岚" in d.title
    browser.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": "en-US"})
    d = page()
    assert d.execute_script("return document.documentElement.dataset.lang") == "en"


def test_the_keyboard_reaches_everything(page):
    d = page()
    body = first(d, "body")
    body.send_keys(Keys.TAB)
    assert "skip" in d.switch_to.active_element.get_attribute("class")
    reached, seen = [], 0
    for _ in range(140):
        e = d.switch_to.active_element
        seen += d.execute_script("return arguments[0].matches(':focus-visible')", e)
        reached.append(
            e.get_attribute("id") or e.get_attribute("data-key") or e.get_attribute("data-language") or e.tag_name
        )
        e.send_keys(Keys.TAB)
    for wanted in ("en", "zh", "print", "leaflet", "find", "download", "coverage", "summary", "input"):
        assert wanted in reached, wanted
    assert seen > 100
    radio = first(d, '#layers input[value="coverage"]')
    radio.send_keys(Keys.ARROW_DOWN)
    assert not radio.is_selected()
    button = first(d, '#table thead button[data-key="stock"]')
    button.send_keys(Keys.ENTER)
    assert d.switch_to.active_element.get_attribute("data-key") == "stock"


@pytest.mark.parametrize("name", ["demo.html", "evil.html", "change.html"])
def test_a_phone_has_no_sideways_scroll(page, name):
    for width in (320, 390):
        d = page(name, width, mobile=True)
        assert d.execute_script("return document.documentElement.scrollWidth") <= width
        assert first(d, "#leaflet").rect["width"] <= width
    small = [e for e in css(d, "button, input") if e.is_displayed() and 0 < e.rect["height"] < 17]
    assert not small


def test_harmful_names_do_nothing(page):
    d = page("evil.html")
    assert d.execute_script("return window.evil === undefined")
    assert EVIL[0] in shown(d, "h1")
    assert EVIL[0] in names(d)
    over(d, first(d, "#leaflet"))
    for button in css(d, "#table tbody th button")[: len(EVIL)]:
        button.click()
    first(d, 'button[data-language="zh"]').click()
    assert d.execute_script("return window.evil === undefined")
    assert "'=HYPERLINK" in d.execute_script("return window.report.csv()")


def test_contrast_is_enough_to_read(page):
    """WCAG AA, 4.5 : 1, of all text against what lies below it."""
    d = page()
    weak = d.execute_script("""
      function light(c) { return c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4))
                                  .reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0); }
      function rgb(t) { return t.match(/[\\d.]+/g).map(Number); }
      function below(e) { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
                          if (c.length < 4 || c[3] > 0.9) return c.slice(0, 3); } return [255, 255, 255]; }
      const found = [];
      for (const e of document.querySelectorAll("main *, header *, nav *, footer *")) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length) continue;
        if (e.closest("svg") || e.closest(".leaflet-control-container")) continue;
        const a = light(rgb(getComputedStyle(e).color).slice(0, 3)), b = light(below(e));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push([e.className || e.tagName, e.textContent.slice(0, 30), ratio]);
      }
      return found;""")
    assert weak == []


def test_it_prints_to_pdf(page, files):
    d = page()
    raw = base64.b64decode(d.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert raw.startswith(b"%PDF")
    assert d.execute_script("return [...document.querySelectorAll('details')].every(e => !e.open)")
    printed.to_pdf(files / "demo.html", files / "demo.pdf")
    raw = (files / "demo.pdf").read_bytes()
    assert raw.startswith(b"%PDF")
    assert 8 <= raw.count(b"/Type /Page\n") + raw.count(b"/Type /Page ") + raw.count(b"/Type/Page/") <= 40
