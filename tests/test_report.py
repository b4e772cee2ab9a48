"""Pages: what is in them and what is not, then the same page in a real browser."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pandas as pd
import pytest
from browser import MISPLACED, Tab, open_browser
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from page_samples import (
    CHECKS,
    FINDINGS,
    HAZARD,
    PlainWords,
    charts,
    groups_table,
    notebook,
    printed,
    shown,
)

from customerlab import plots, report
from customerlab.errors import CustomerlabError
from customerlab.findings import Finding, tabulate_checks
from customerlab.messages import ENGLISH, Words, say
from customerlab.report import pdf

LANGUAGES = {"en": PlainWords("en", "CNY"), "zh": PlainWords("zh", "CNY")}


def render(cells: list, words: Words = LANGUAGES["en"], **more) -> str:
    """Return the page of a notebook of these cells."""
    return report.render_page(
        new_notebook(cells=cells), "04_churn_timing", words=words, title="T", **more
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """Render the sample notebook in both languages."""
    folder = tmp_path_factory.mktemp("pages")
    for language, words in LANGUAGES.items():
        html = report.render_page(
            notebook(words),
            "04_churn_timing",
            words=words,
            title="Acme <Bank> & Co",
            above=say("All customers"),
            index="index.html",
        )
        (folder / f"{language}.html").write_text(html, encoding="utf-8")
    return {language: folder / f"{language}.html" for language in LANGUAGES}


def test_a_page_has_the_answer_on_top_and_no_code(pages):
    html = pages["en"].read_text(encoding="utf-8")
    assert html.lower().startswith("<!doctype html>")
    assert '<html lang="en">' in html
    assert "<title>Acme &lt;Bank&gt; &amp; Co</title>" in html
    assert 'name="viewport"' in html
    assert '<a href="index.html">All answers</a>' in html
    order = [
        html.index(part)
        for part in ("When will customers leave?</h1>", '<ul class="answers">', "<h2", "<figure>")
    ]
    assert order == sorted(order)
    for absent in ("secret_code", "client =", "hidden text", "a warning", "<a piece>", "<script"):
        assert absent not in html
    assert html.count("data-customerlab") == 0  # one style sheet for the page


def test_a_page_in_chinese_has_no_english_of_ours(pages):
    html = pages["zh"].read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in html
    for english, chinese in (
        ("Not enough data", "数据不足"),
        ("supported</span>", "证据充分</span>"),
        ("Hazard ratio", "风险比"),
        ("Customers at risk", "仍在观察的客户数"),
        ("What did not run", "未能运行的部分"),
        ("All answers", "全部结论"),
    ):
        assert english.lower() not in html.lower()
        assert chinese in html


def test_the_notebook_itself_is_not_changed():
    cells = [new_markdown_cell("# Top"), shown(groups_table(ENGLISH)), printed("x", "stderr")]
    before = new_notebook(cells=cells)
    after = copy.deepcopy(before)
    report.render_page(after, "04_churn_timing", words=LANGUAGES["en"], title="T")
    assert after == before


def test_the_same_figure_twice_has_ids_of_its_own():
    chart = plots.hazard_ratios(HAZARD)
    html = render([shown(chart), shown(chart)])
    ids = re.findall(r'<svg.*? id="([^"]+)"', html, flags=re.DOTALL)
    assert len(ids) == len(set(ids)) == 4  # wide and narrow, twice
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        targets = set(re.findall(r'"#([^"]+)"|url\(#([^)]+)\)', svg))
        assert {a or b for a, b in targets} == set(re.findall(r' id="([^"]+)"', svg))


def test_a_failed_notebook_makes_no_page():
    error = new_output("error", ename="ValueError", evalue="no rows", traceback=["..."])
    cells = [new_markdown_cell("# Top\n## Where it is"), new_code_cell("x", outputs=[error])]
    with pytest.raises(CustomerlabError, match='"Where it is", cell 2: ValueError: no rows'):
        render(cells)


@pytest.mark.parametrize("heading", ["customer_id", "Customer ID", "account_id", "phone", "姓名"])
def test_columns_of_single_customers_are_refused(heading):
    frame = shown(pd.DataFrame({heading: ["a"], "n": [1]}))
    with pytest.raises(CustomerlabError, match="never single customers"):
        render([frame])
    as_index = shown(pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name=heading)))
    with pytest.raises(CustomerlabError, match="never single customers"):
        render([as_index])


def test_columns_that_the_client_names_are_refused():
    frame = shown(pd.DataFrame({"Kunden-Nr": ["a"]}))
    assert "Kunden-Nr" in render([frame])
    with pytest.raises(CustomerlabError, match="kunden_nr"):
        render([frame], personal=["kunden_nr"])


def test_a_frame_printed_as_text_is_refused_too():
    with pytest.raises(CustomerlabError, match="customer_id"):
        render([printed("  customer_id  n\n0  C1  3")])
    assert "wrote 3 tables" in render([printed("wrote 3 tables")])


@pytest.mark.parametrize(
    "html",
    [
        '<img src="https://example.org/x.png">',
        '<link rel="stylesheet" href="//example.org/x.css">',
        "<script>1</script>",
        '<p style="background:url(http://example.org/x.png)">',
        '<style>@import "x.css";</style>',
        '<svg><image xlink:href="http://example.org/x.png"/></svg>',
        '<iframe src="x.html"></iframe>',
    ],
)
def test_nothing_is_fetched(html):
    output = new_output("display_data", data={"text/html": html})
    with pytest.raises(CustomerlabError, match="fetch or run"):
        render([new_code_cell("x", outputs=[output])])


def test_links_and_pictures_inside_the_page_stay():
    png = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
        "rkJggg=="
    )
    output = new_output("display_data", data={"image/png": png, "text/plain": "<Figure>"})
    cells = [
        new_markdown_cell("[a link](https://example.org)"),
        new_code_cell("x", outputs=[output]),
        new_code_cell("x", outputs=[output], metadata={"alt": 'a "point"'}),
    ]
    html = render(cells)
    assert '<a href="https://example.org">' in html
    assert 'alt="A figure without a description."' in html
    assert 'alt="a &quot;point&quot;"' in html
    assert "&lt;Figure" not in html


def test_markdown_is_exchanged_by_cell_id():
    class Shouting(Words):
        def markdown(self, notebook, cell_id, text):
            return f"{text} {notebook}:{cell_id}".upper()

    cell = new_markdown_cell("hello", id="top")
    assert "<p>HELLO 04_CHURN_TIMING:TOP</p>" in render([cell], Shouting("en"))


def test_markdown_without_chinese_says_what_to_do():
    cell = new_markdown_cell("# A heading of my own\ntext", id="mine")
    with pytest.raises(CustomerlabError, match=r'"mine" \(# A heading of my own\).*catalogue'):
        render([cell], Words("zh"))


def test_answers_show_value_interval_count_and_status():
    html = report.answers(FINDINGS, ENGLISH)._repr_html_()
    assert "5.1\N{NO-BREAK SPACE}%</span>" in html
    assert "4.8 to 5.4\N{NO-BREAK SPACE}% · n = 742,000 · " in html
    # 4.8 to 5.4 on a scale from 0 to 10 per cent
    assert 'style="left:48.0%;width:6.0%"' in html
    assert 'aria-label="4.8 to 5.4\N{NO-BREAK SPACE}%, on a scale from 0\N{NO-BREAK SPACE}%' in html
    # -3 to 5 on a scale from -5 to 5 per cent
    assert 'style="left:20.0%;width:80.0%"' in html
    assert html.count('class="range"') == 2  # a full count and an unknown have no interval
    assert '<li class="not_enough_data">' in html
    assert '<ul class="answers">' not in report.answers((), ENGLISH)._repr_html_()


@pytest.mark.parametrize(
    ("low", "value", "high", "unit", "end"),
    [
        (0.3, 0.4, 0.97, "percent", "100\N{NO-BREAK SPACE}%"),
        (0.001, 0.002, 0.004, "percent", "0.5\N{NO-BREAK SPACE}%"),
        (1100000, 1234567, 1400000, "money", "2,000,000"),
        (700, 742, 760, "customers", "1,000"),
        (2.02, 2.31, 2.64, "number2", "5"),
        (1.5, 2, 2.5, "number2", "2.5"),
    ],
)
def test_scales_end_at_a_round_number(low, value, high, unit, end):
    finding = Finding("a.b", say("All customers"), value, low, high, unit)
    html = report.answers([finding], ENGLISH)._repr_html_()
    assert f"<span>{end}</span></span>" in html


def test_a_masked_count_is_not_drawn():
    finding = Finding("a.b", say("All customers"), 7, 4, 12, "customers", 8)
    html = report.answers([finding], Words("en", min_cell=10))._repr_html_()
    assert "&lt;10" in html
    assert "n = &lt;10" in html
    assert 'class="range"' not in html
    assert "4" not in re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)


def test_a_table_is_shown_as_readers_see_it():
    html = groups_table(Words("zh"))._repr_html_()
    assert "<caption>全部客户</caption>" in html
    assert re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", html) == [
        "群组",
        "客户数",
        "占比",
        "原因",
    ]
    assert '<th scope="row">East &lt;1st&gt;</th>' in html
    assert ">&lt;10</span>" in html
    assert '14.2% <span class="interval">12.9% 至 15.6%</span>' in html
    assert ">–</span>" in html  # an unknown share, and no interval for it
    assert html.count('class="interval"') == 1
    assert ">未知</span>" in html
    assert groups_table(ENGLISH).frame["customers"].tolist() == ["<10", 18204]


def test_a_table_with_a_wrong_column():
    frame = pd.DataFrame({"share": [0.1], "customer_id": ["C1"]})
    with pytest.raises(CustomerlabError, match=r"no column 'shares' \(did you mean \"share\"\?\)"):
        report.show_table(frame, headings={"shares": say("Share")})
    with pytest.raises(CustomerlabError, match="customer_id"):
        report.show_table(frame, headings={"customer_id": "Client"})


def test_hidden_cells_read_in_the_language():
    frame = pd.DataFrame({"group": ["a"], "share": ["hidden"], "low": "hidden", "high": "hidden"})
    table = report.show_table(
        frame,
        Words("zh"),
        headings={"group": say("Group"), "share": say("Share")},
        intervals={"share": ("low", "high")},
    )
    assert ">不公开</span>" in table.html
    assert 'class="interval"' not in table.html and "hidden 至" not in table.html


def test_a_long_table_is_folded():
    headings = {"group": say("Group")}
    long = report.show_table(pd.DataFrame({"group": range(31)}), headings=headings).html
    assert "<summary>Show all 31 rows</summary>" in long
    short = report.show_table(pd.DataFrame({"group": range(30)}), headings=headings).html
    assert "<summary>" not in short


def test_checks_say_whether_they_passed():
    html = report.checks_table(CHECKS, ENGLISH)._repr_html_()
    assert re.findall(r'class="mark (\w+)">(.*?)</span>', html) == [
        ("passed", "✓ passed"),
        ("failed", "✗ failed"),
        ("open", "– not judged"),
    ]


@pytest.mark.parametrize(
    ("language", "passed"),
    [("en", ["yes", "no", "not judged"]), ("zh", ["是", "否", "无法判断"])],
)
def test_checks_are_written_in_words(language, passed):
    words = Words(language)
    written = tabulate_checks(CHECKS).map(words)
    assert list(written) == ["check", "passed", "text"]
    assert list(written["passed"]) == passed
    assert list(written["text"]) == [words(check.text) for check in CHECKS]
    assert list(tabulate_checks(())) == ["check", "passed", "text"]


def test_pages_that_are_missing_say_why():
    html = report.page_links(
        [
            report.PageLink("When?", "04.html", say("All customers")),
            report.PageLink("Why?", None, say("It would need {tables}.", tables="transactions")),
        ]
    )._repr_html_()
    assert '<a href="04.html">When?</a> <span>All customers</span>' in html
    assert "<li>Why? It would need transactions.</li>" in html


# in a browser -------------------------------------------------------------------------------

FIGURES = len(charts(LANGUAGES["en"]))
needs_browser = pytest.mark.skipif(pdf.browser() is None, reason="no Chromium is installed")

SMALLEST = """
Math.min(...[...document.querySelectorAll("svg text")]
  .filter(t => t.getClientRects().length)
  .map(t => parseFloat(getComputedStyle(t).fontSize)
    * t.ownerSVGElement.getBoundingClientRect().width / t.ownerSVGElement.viewBox.baseVal.width))
"""


@pytest.fixture(scope="module")
def tab():
    """Open a tab of a real browser."""
    with open_browser() as opened:
        yield opened


@needs_browser
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_in_a_browser(tab: Tab, pages, language, width):
    tab.open(pages[language], width)
    assert tab.requests == [pages[language].as_uri()]  # one file, nothing of a network
    assert tab.complaints == []
    assert tab.ask("document.documentElement.scrollWidth") <= width
    assert tab.ask("[...document.images].filter(i => !i.alt).length") == 0
    drawn = "[...document.querySelectorAll('svg')].filter(s => s.getClientRects().length)"
    assert tab.ask(f"{drawn}.length") == FIGURES  # the wide or the narrow drawing, never both
    assert tab.ask(f"{drawn}.filter(s => !s.getAttribute('aria-label')).length") == 0
    assert tab.ask(MISPLACED) == []
    assert tab.ask(SMALLEST) >= 11


@needs_browser
def test_a_page_on_paper(tab: Tab, pages):
    tab.open(pages["en"], 390)
    tab.call("Emulation.setEmulatedMedia", media="print")
    visible = "[...document.querySelectorAll({!r})].filter(s => s.getClientRects().length).length"
    assert tab.ask(visible.format(".wide svg")) == FIGURES
    assert tab.ask(visible.format(".narrow svg")) == 0
    assert tab.ask("document.querySelector('details dd').checkVisibility()")
    tab.call("Emulation.setEmulatedMedia", media="")


@needs_browser
def test_a_pdf_is_made(pages, tmp_path):
    target = tmp_path / "reports" / "index.pdf"
    assert report.render_pdf(pages["en"], target)
    assert target.read_bytes().startswith(b"%PDF-")
    assert [file.name for file in target.parent.iterdir()] == ["index.pdf"]


def test_no_pdf_without_a_browser(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert report.render_pdf(tmp_path / "x.html", tmp_path / "x.pdf") is False


def test_a_browser_that_fails_is_an_error(monkeypatch, tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho cannot start >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(CustomerlabError, match=r"could not print .*x\.html: cannot start"):
        report.render_pdf(tmp_path / "x.html", tmp_path / "x.pdf")
    assert not (tmp_path / "x.pdf").exists()
