"""Two languages: nothing lacks its Chinese, and numbers read as Babel writes them."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal

import numpy as np
import pytest
from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.numbers import format_decimal, format_percent
from conftest import ROOT

from customerlab import catalogue, messages
from customerlab.catalogue import LOCALE, Text
from customerlab.errors import CustomerlabError
from customerlab.messages import Words, say

RUN = "run python -m customerlab.catalogue, and fill in what it lists"


def texts(name: str) -> list[Text]:
    """Return what the code and the notebooks hold now."""
    if name == "messages":
        return catalogue.messages()
    return catalogue.markdown(ROOT / "notebooks")


@pytest.mark.parametrize("name", ["messages", "notebooks"])
def test_everything_has_its_chinese(name):
    now = catalogue.merge(catalogue.load(LOCALE / f"{name}.po"), texts(name))
    assert [entry.context or entry.id for entry in catalogue.missing(now)] == [], RUN


@pytest.mark.parametrize("name", ["messages", "notebooks"])
def test_the_catalogue_holds_nothing_that_is_gone(name):
    kept = {(e.id, e.context) for e in catalogue.load(LOCALE / f"{name}.po") if e.id}
    assert kept - {(text.text, text.context) for text in texts(name)} == set(), RUN


def test_chinese_has_the_places_of_the_english():
    kept = catalogue.load(LOCALE / "messages.po")
    assert [entry.id for entry in catalogue.unlike(kept)] == []


def test_other_places_are_found():
    catalog = Catalog()
    catalog.add("{n:count} of {m:count}", "{m:count}，{n:count}")
    catalog.add("{n:count} rows", "{n:percent} 行")
    catalog.add("{n:count} customers", "客户")
    odd = [entry.id for entry in catalogue.unlike(catalog)]
    assert odd == ["{n:count} rows", "{n:count} customers"]


def test_a_text_that_is_no_literal_is_refused(tmp_path):
    (tmp_path / "bad.py").write_text('say("a" "b")\nlab.say(x)\nsay(f"{x} rows")\n')
    with pytest.raises(CustomerlabError, match=r"bad\.py:3: .* one literal string"):
        catalogue.messages(tmp_path)


def test_texts_are_found_once(tmp_path):
    (tmp_path / "one.py").write_text('x = say("a" " b", n=1)\n\ny = say("a b")\n')
    assert [text.text for text in catalogue.messages(tmp_path)] == ["a b"]


def test_a_changed_cell_keeps_its_chinese_until_it_is_looked_at(tmp_path):
    cell = {"cell_type": "markdown", "id": "top", "source": ["# Old\n", "text"]}
    code = {"cell_type": "code", "id": "code", "source": "1"}
    file = tmp_path / "04_churn.ipynb"
    file.write_text(json.dumps({"cells": [cell, code]}))
    (old,) = catalogue.markdown(tmp_path)
    assert (old.text, old.context) == ("# Old\ntext", "04_churn:top")

    catalog = catalogue.merge(Catalog(), [old])
    catalog.get(old.text, old.context).string = "# 旧"
    assert catalogue.missing(catalog) == []
    cell["source"] = "# New"
    file.write_text(json.dumps({"cells": [cell]}))
    merged = catalogue.merge(catalog, catalogue.markdown(tmp_path))
    (entry,) = catalogue.missing(merged)
    assert (entry.id, entry.string, entry.fuzzy) == ("# New", "# 旧", True)

    catalogue.save(merged, tmp_path / "again.po")
    (entry,) = catalogue.missing(catalogue.load(tmp_path / "again.po"))
    assert (entry.id, entry.context, entry.string) == ("# New", "04_churn:top", "# 旧")


def test_a_changed_cell_does_not_show_its_old_chinese(monkeypatch):
    catalog = Catalog(locale="zh_Hans_CN")
    catalog.add("# New", "# 旧", context="04_churn:top", flags={"fuzzy"})
    catalog.add("# Same", "# 同", context="04_churn:end")
    monkeypatch.setattr(messages, "_catalog", lambda language, domain: catalog)
    assert Words("zh").markdown("04_churn", "end", "# Same") == "# 同"
    with pytest.raises(LookupError, match="04_churn:top"):
        Words("zh").markdown("04_churn", "top", "# New")


@pytest.mark.parametrize(("language", "locale"), [("en", "en"), ("zh", "zh_Hans_CN")])
def test_numbers_read_as_babel_writes_them(language, locale):
    words = Words(language)
    for value in (0, 7, 1234567, np.int64(1234567), Decimal(1234567)):
        assert words.format(value, "count") == format_decimal(int(value), locale=locale)
    for value in (0.5, 1234567.891, -0.25, Decimal("1234567.891"), np.float64(0.5)):
        babel = format_decimal(round(float(value), 2), locale=locale)
        assert words.format(value, "number") == babel
    babel = format_percent(0.1234, locale=locale, decimal_quantization=False)
    assert words.format(0.1234, "percent2").replace(" ", "") == babel


def test_english_and_chinese_side_by_side():
    english, chinese = Words("en", "CNY"), Words("zh", "CNY")
    day = dt.date(2025, 12, 31)
    assert english.format(day, "date") == "31 December 2025"
    assert chinese.format("2025-12-31", "date") == format_date(day, "long", "zh_CN")
    assert english.format(0.1234, "percent") == "12.3 %"
    assert chinese.format(0.1234, "percent") == "12.3%"
    assert english.format(1234.5, "money") == "1,234.50 CNY"
    assert chinese.format(1234.5, "money") == "1,234.50元"
    assert Words("zh", "USD").format(1234.5, "money") == "1,234.50 USD"


def test_what_is_not_known_and_what_is_masked():
    words = Words("en", min_cell=10)
    assert [words.format(x, "count") for x in (None, math.nan, "<10")] == ["–", "–", "<10"]
    assert [words.format(x, "customers") for x in (0, 9, 10)] == ["0", "<10", "10"]
    assert words.format(math.inf, "number2") == "∞"
    with pytest.raises(ValueError, match="unknown format"):
        words.format(1, "procent")


def test_messages_go_into_messages():
    inner = say("All customers")
    outer = say("rule: {rule}", rule=inner)
    assert Words("zh")(outer) == "规则：全部客户"
    assert {outer, say("rule: {rule}", rule=inner)} == {outer}
    assert outer != say("rule: {rule}", rule="All customers")
