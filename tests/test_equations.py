"""What the science pages show: every formula, function and published example agree."""

import importlib
import math
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("sympy")
pytest.importorskip("latex2mathml")

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

equations = importlib.import_module("equations")
PAGES, EQUATIONS = equations.read()


@pytest.mark.parametrize("e", EQUATIONS, ids=lambda e: e.function)
def test_formula_function_and_source_agree(e):
    assert e.computed() == pytest.approx(e.expect, rel=e.rel)
    if e.formula:
        assert e.by_formula() == pytest.approx(e.computed(), rel=1e-9)
    assert e.page in PAGES


@pytest.mark.parametrize("e", EQUATIONS, ids=lambda e: e.function)
def test_every_equation_has_a_source_a_test_and_a_drawing(e):
    from sinks.bibliography import entries

    assert e.source in entries() or re.search(r"[A-Z].* ", e.source), e.source
    file, _, name = e.test.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not name or f"def {name}(" in text, e.test
    from latex2mathml.converter import convert

    assert convert(e.shown()).startswith("<math")
    assert not math.isnan(e.computed())


def test_every_page_has_modules_and_tables_that_exist():
    from sinks.parameters import records

    for page in PAGES.values():
        for name in page["modules"]:
            assert importlib.import_module(name).__doc__
        for name in page["tables"]:
            assert records(name)
    assert {e.page for e in EQUATIONS} <= set(PAGES)
