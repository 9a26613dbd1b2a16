"""The report in a browser: it opens from a file without any request, and can be read, searched, opened and printed."""

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cli.reporting.model import Report, ServiceUse
from cli.reporting.render import render
from tests.unit.report_samples import HOSTILE, sample_report

CHROMIUM = os.environ.get("LEASTWISE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
# In CI there must be one: a browser that is missing there is a failure, not a test less.
NO_BROWSER = CHROMIUM is None and not os.environ.get("CI")
pytestmark = [
    pytest.mark.skipif(NO_BROWSER, reason="no Chromium: install one, or name it in LEASTWISE_CHROMIUM"),
]
QUIET = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
NUMBER = 40
LEAST_CONTRAST = 4.5
Scheme = Literal["light", "dark"]
# The least contrast of a text on the screen with what is behind it, after WCAG 2.2, and that text.
CONTRAST = """() => {
  const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const luminance = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => channel(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const color = getComputedStyle(node).backgroundColor;
    return color !== 'rgba(0, 0, 0, 0)' || !node.parentElement ? color : behind(node.parentElement);
  };
  let least = [21, 'nothing'];
  for (const node of document.querySelectorAll('body *')) {
    const text = [...node.childNodes].filter((one) => one.nodeType === 3).map((one) => one.data.trim()).join('');
    if (!text || node.closest('script, style, noscript') || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const [a, b] = [node instanceof SVGElement ? style.fill : style.color, behind(node)].map(luminance);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least[0]) least = [contrast, text];
  }
  return least;
}"""


class Opened:
    """A page with what its browser complained of and asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def names(self) -> list[str]:
        """Names of the identities that are shown, in order."""
        return self.page.locator("tbody > .row:not([hidden]) .opener").all_text_contents()

    def pcis(self) -> list[float]:
        """PCI of the identities that are shown, in order."""
        return [float(text) for text in self.page.locator("tbody > .row:not([hidden]) > .pci").all_text_contents()]

    def shown(self) -> str:
        """How many identities the page says that it shows."""
        return self.page.locator("#shown").inner_text()

    def focused(self) -> str:
        """What has the focus: its id, its class, or its text."""
        return str(self.page.evaluate("document.activeElement.id || document.activeElement.className"))


Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the reports are."""
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def report() -> Report:
    """A report with some of everything."""
    return sample_report(NUMBER)


@pytest.fixture
def opened(browser: Browser, folder: Path, report: Report) -> Open:
    """Open a report as a reader would: from a file; whatever the test does, nothing may complain or be loaded."""

    @contextmanager
    def opening(
        of: Report = report, *, at: str = "", width: int = 1280, scheme: Scheme = "light", scripts: bool = True
    ) -> Iterator[Opened]:
        path = folder / "report.html"
        path.write_text(render(of), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=scripts
        )
        found = Opened(context.new_page())
        found.page.goto(f"{path.as_uri()}{at}")
        yield found
        assert found.complaints == []
        assert [url.partition("#")[0] for url in found.requests] == [path.as_uri()]
        context.close()

    return opening


def test_given_a_report_when_opened_from_a_file_then_all_is_there_and_nothing_is_loaded(opened: Open) -> None:
    with opened() as report:
        assert report.page.title().startswith("Least privilege of account 111122223333: PCI ")
        assert report.shown() == f"{NUMBER} identities"
        assert len(report.names()) == NUMBER
        assert [report.page.locator(tag).count() for tag in ("main", "h1", "header", "footer")] == [1, 1, 1, 1]


def test_given_the_table_when_a_heading_is_pressed_then_it_sorts_one_way_and_then_the_other(opened: Open) -> None:
    with opened() as report:
        heading = report.page.locator("th[data-sort=pci]")
        assert report.pcis() == sorted(report.pcis(), reverse=True)
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == "ascending"
        assert report.pcis() == sorted(report.pcis())
        report.page.locator("th[data-sort=name] button").click()
        assert report.names() == sorted(report.names())
        assert report.page.locator("[aria-sort]").count() == 1
        for key in ("band", "verdict", "share", "unused", "used", "reach", "plan"):
            report.page.locator(f"th[data-sort={key}] button").click()
            assert report.page.locator("[aria-sort]").get_attribute("data-sort") == key
            assert len(report.names()) == NUMBER
        unused = [text.replace(",", "") for text in report.page.locator("tbody > .row > .unused").all_text_contents()]
        report.page.locator("th[data-sort=unused] button").click()
        now = [text.replace(",", "") for text in report.page.locator("tbody > .row > .unused").all_text_contents()]
        assert now != unused
        assert list(map(int, now)) == sorted(map(int, unused), reverse=True)


def test_given_the_table_when_filtered_then_exactly_those_are_shown_and_counted(opened: Open, report: Report) -> None:
    with opened() as opened_report:
        page = opened_report.page
        wanted = [one.name for one in report.identities if one.type == "user" and one.band == "low"]
        page.select_option("#type", "user")
        page.select_option("#band", "low")
        assert opened_report.names() == wanted
        assert opened_report.shown() == f"{len(wanted)} of {NUMBER} identities"
        page.click("#clear")
        page.select_option("#verdict", "over")
        assert opened_report.names() == [one.name for one in report.identities if one.compliance == "NON_COMPLIANT"]
        page.select_option("#plan", "1")
        planned = [one.name for one in report.identities if one.plan and one.plan.status == "PROPOSED"]
        assert opened_report.names() == planned
        page.click("#clear")
        page.fill("#search", f"ROLE {report.identities[0].name}")
        assert report.identities[0].type != "role" or opened_report.names() == [report.identities[0].name]
        page.fill("#search", report.identities[3].identity_id.lower())
        assert opened_report.names() == [report.identities[3].name]
        page.fill("#search", "nobody is called this")
        assert opened_report.shown() == f"0 of {NUMBER} identities"
        page.press("#search", "Escape")
        assert opened_report.shown() == f"{NUMBER} identities"


def test_given_an_identity_when_opened_then_its_details_are_there_and_move_with_it(
    opened: Open, report: Report
) -> None:
    place, one = next((place, one) for place, one in enumerate(report.identities) if one.plan)
    assert one.plan
    with opened() as opened_report:
        page = opened_report.page
        opener = page.locator(".opener").nth(place)
        assert opener.get_attribute("aria-expanded") == "false"
        opener.click()
        assert opener.get_attribute("aria-expanded") == "true"
        more = page.locator("tr.more")
        text = more.inner_text()
        for part in (one.arn, one.plan.plan_id, one.services[0].service, one.history[0].summary, one.coverage[0]):
            assert part in text
        assert more.locator("pre .gone").count() == sum(line.startswith("-") for line in one.plan.diff[1:])
        assert more.locator("pre .come").first.inner_text().startswith("+")
        assert page.evaluate("location.hash") == f"#{one.identity_id}"
        page.locator("th[data-sort=name] button").click()
        assert page.evaluate("document.querySelector('tr.more').previousElementSibling.innerText").startswith(one.name)
        page.select_option("#type", "role" if one.type == "user" else "user")
        assert not more.is_visible()
        page.click("#clear")
        opener = page.locator(".opener[aria-expanded=true]")
        opener.click()
        assert more.count() == 0


def test_given_an_administrator_when_opened_then_a_service_beyond_the_first_is_one_press_away(
    opened: Open, report: Report
) -> None:
    services = tuple(ServiceUse(f"service-{number}", 3, 1, 1, 1) for number in range(400))
    admin = dataclasses.replace(report.identities[0], services=services)
    with opened(dataclasses.replace(report, identities=(admin,))) as opened_report:
        page = opened_report.page
        page.locator(".opener").click()
        last = page.get_by_role("rowheader", name="service-399", exact=True)
        assert not last.is_visible()
        page.locator("summary", has_text="388 more").click()
        assert last.is_visible()


def test_given_a_policy_when_copied_then_the_clipboard_has_its_text(opened: Open, report: Report) -> None:
    place, one = next((place, one) for place, one in enumerate(report.identities) if one.plan)
    assert one.plan
    with opened() as opened_report:
        page = opened_report.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator(".opener").nth(place).click()
        page.locator(".copy").first.click()
        page.locator(".copy", has_text="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == one.plan.policies[0].text
        assert not page.locator(".document pre").is_visible()
        page.locator(".document summary").first.click()
        assert page.locator(".document pre").inner_text() == one.plan.policies[0].text


def test_given_the_address_of_an_identity_when_opened_then_it_is_open_and_focused(opened: Open, report: Report) -> None:
    one = report.identities[-1]
    with opened(at=f"#{one.identity_id}") as opened_report:
        page = opened_report.page
        assert page.locator(".opener[aria-expanded=true]").inner_text() == one.name
        assert opened_report.focused() == "opener"
        assert page.locator("tr.more").is_visible()
        page.select_option("#band", "high")
        page.locator("#first ~ .scroll a").first.click()
        assert page.locator(".opener[aria-expanded=true]").count() == 2


@pytest.mark.parametrize("at", ["#nobody", "#%", "#%3Cscript%3E", "#__proto__"])
def test_given_an_address_that_is_nobodys_when_opened_then_nothing_is(opened: Open, at: str) -> None:
    with opened(at=at) as report:
        assert report.page.locator("tr.more").count() == 0
        assert report.shown() == f"{NUMBER} identities"


def test_given_the_map_when_a_mark_is_chosen_then_only_its_identities_are_shown(opened: Open, report: Report) -> None:
    with opened() as opened_report:
        marks = opened_report.page.locator(".cell")
        numbers = [int(text) for text in marks.locator("span").all_text_contents()]
        assert sum(numbers) == sum(one.exempt is None for one in report.identities)
        for place, number in enumerate(numbers[:4]):
            marks.nth(place).press("Enter")
            assert len(opened_report.names()) == number
            assert opened_report.page.locator(".cell[aria-pressed=true]").count() == 1
        marks.nth(min(3, len(numbers) - 1)).press("Enter")
        assert opened_report.shown() == f"{NUMBER} identities"
        assert opened_report.page.locator(".cell[aria-pressed=true]").count() == 0


def test_given_a_trend_with_days_missing_when_opened_then_no_line_bridges_them(opened: Open, report: Report) -> None:
    one = report.identities[0]
    trend = tuple(one.trend[place] for place in (0, 1, 2, 10, 20, 21))
    with opened(dataclasses.replace(report, identities=(dataclasses.replace(one, trend=trend),))) as opened_report:
        page = opened_report.page
        page.locator(".opener").click()
        lines = page.locator(".small-chart polyline").evaluate_all("all => all.map((one) => one.getBBox().width)")
        assert [round(width, 1) for width in lines] == [9.5, 0, 4.8]
        assert "16 of them without a score" in page.locator("tr.more").inner_text()


def test_given_a_long_difference_when_opened_then_it_is_folded_and_whole(opened: Open, report: Report) -> None:
    one = next(one for one in report.identities if one.plan)
    assert one.plan
    plan = dataclasses.replace(one.plan, diff=tuple(f"+ line {number}" for number in range(1999)))
    with opened(dataclasses.replace(report, identities=(dataclasses.replace(one, plan=plan),))) as opened_report:
        page = opened_report.page
        page.locator(".opener").click()
        last = page.locator("pre .come").last
        assert not last.is_visible()
        page.locator("summary", has_text="Difference of the policies, 1,999 lines").click()
        assert last.is_visible()
        assert last.inner_text().strip() == "+ line 1998"


def test_given_only_a_keyboard_when_walking_then_everything_is_reached_opened_and_closed(opened: Open) -> None:
    with opened() as report:
        page = report.page
        page.keyboard.press("Tab")
        assert report.focused() == "skip"
        assert page.locator(".skip").bounding_box()["x"] >= 0  # seen once it has the focus
        page.keyboard.press("Enter")
        stops = []
        for _ in range(16):
            page.keyboard.press("Tab")
            stops.append(report.focused())
        expected = ["search", "type", "band", "verdict", "plan", "clear", *["sorter"] * 9, "opener"]
        assert stops == expected
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        assert page.locator("tr.more").count() == 1
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        assert page.locator("tr.more").count() == 0
        assert report.focused() == "opener"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_given_a_color_scheme_when_opened_then_every_text_stands_out_and_the_other_is_a_press_away(
    opened: Open, scheme: Scheme, report: Report
) -> None:
    place = next(place for place, one in enumerate(report.identities) if one.plan)
    with opened(scheme=scheme) as opened_report:
        page = opened_report.page
        page.locator(".opener").nth(place).click()
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        for _ in range(2):
            contrast, text = page.evaluate(CONTRAST)
            assert contrast >= LEAST_CONTRAST, text
            page.click("#theme")
        page.click("#theme")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != paper


def test_given_a_phone_when_opened_then_nothing_is_wider_than_it(opened: Open, report: Report) -> None:
    place = next(place for place, one in enumerate(report.identities) if one.plan)
    with opened(width=360) as opened_report:
        page = opened_report.page
        page.locator(".opener").nth(place).click()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.select_option("#sort", "name")
        assert opened_report.names() == sorted(opened_report.names())


def test_given_names_that_would_be_markup_when_opened_then_they_do_nothing(opened: Open) -> None:
    with opened(sample_report(14, names=HOSTILE), width=360) as report:
        page = report.page
        dialogs: list[object] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog))  # noqa: PLW0108 the driver marks what it calls
        for place in range(14):
            page.locator(".opener").nth(place).click()
        assert page.locator("tr.more").count() == 14
        assert dialogs == []
        assert page.locator("img").count() == 0
        assert page.locator("body > script").count() == 16  # index, details of 14, and the page's own
        assert "<script>alert(1)</script>" in report.names()
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_given_paper_when_printed_then_all_rows_and_what_is_open_are_on_it_in_light(opened: Open) -> None:
    with opened(scheme="dark") as report:
        page = report.page
        page.locator(".opener").first.click()
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("tr.more").is_visible()
        assert page.locator("tbody > .row").count() == sum(
            row.is_visible() for row in page.locator("tbody > .row").all()
        )
        for hidden in ("#theme", ".controls", ".skip", ".copy"):
            assert not page.locator(hidden).first.is_visible()
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_given_no_scripts_when_opened_then_the_figures_and_all_identities_can_be_read(opened: Open) -> None:
    with opened(scripts=False) as report:
        page = report.page
        assert page.locator("tbody > .row").count() == NUMBER
        assert page.locator("noscript p").is_visible()
        assert page.locator(".gauge").is_visible()
        assert not page.locator(".controls").is_visible()
        assert not page.locator("#theme").is_visible()


def test_given_many_identities_when_opened_then_all_are_there_to_search(opened: Open) -> None:
    with opened(sample_report(600, days=0)) as report:
        assert report.shown() == "600 identities"
        report.page.fill("#search", f"{599:016X}")
        assert len(report.names()) == 1
