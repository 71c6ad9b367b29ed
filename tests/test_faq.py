"""The sentences that the manual quotes are those of the program."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUOTED = re.findall(r"^### `(.+)`$", (ROOT / "docs" / "manual" / "faq.md").read_text(encoding="utf-8"), re.MULTILINE)
GAP = "\0"


def _said(node):
    """A piece of text of the program, with a gap for what is put in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else GAP for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.fixture(scope="module")
def said():
    files = [p for package in ("sinks", "pipelines") for p in (ROOT / package).rglob("*.py")]
    return {_said(n) for p in files for n in ast.walk(ast.parse(p.read_text(encoding="utf-8")))} - {""}


@pytest.mark.parametrize("sentence", QUOTED)
def test_the_program_still_says_so(sentence, said):
    pattern = re.compile(".*?".join(re.escape(part) for part in re.split(r"\s?…\s?", sentence)), re.DOTALL)
    assert any(pattern.search(text.replace(GAP, "…")) for text in said), sentence


def test_many_are_quoted_and_each_has_an_answer():
    text = (ROOT / "docs" / "manual" / "faq.md").read_text(encoding="utf-8")
    assert len(QUOTED) >= 15
    assert all(part.strip() for part in re.split(r"^### `.+`$", text, flags=re.MULTILINE))
