"""The equations of ``docs/science/equations.toml``: read, drawn, and held against the functions that compute them."""

from __future__ import annotations

import importlib
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sympy

FILE = Path(__file__).parents[1] / "science" / "equations.toml"


@dataclass(frozen=True)
class Equation:
    """One equation; fields as in the file. code : an example that is more than a call; it leaves its result in ``found``."""

    page: str
    title: str
    function: str
    left: str
    expect: float
    source: str
    locator: str
    test: str
    formula: str = ""
    latex: str = ""
    take: str = ""
    code: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)
    rel: float = 1e-9
    symbols: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)

    @property
    def call(self) -> Callable[..., Any]:
        """The function that the pass uses."""
        module, _, name = self.function.partition(":")
        return getattr(importlib.import_module(module), name)

    def computed(self) -> float:
        """What the function makes of the example."""
        if self.code:
            names: dict[str, Any] = {}
            exec(self.code, names)
            return float(names["found"])
        found = self.call(**self.example)
        return float(getattr(found, self.take) if self.take else found)

    def by_formula(self) -> float:
        """What the shown formula makes of it; NaN where it cannot be evaluated."""
        if not self.formula:
            return math.nan
        values = {s: self.example[argument] for s, argument in self.symbols.items()} | dict(self.constants)
        return float(self._parsed().subs(values).evalf())

    def shown(self) -> str:
        """The equation as LaTeX."""
        if self.latex:
            return self.latex
        return f"{sympy.latex(sympy.Symbol(self.left))} = {sympy.latex(self._parsed(evaluate=False), mul_symbol='dot')}"

    def _parsed(self, evaluate: bool = True) -> Any:
        names = {s: sympy.Symbol(s) for s in (*self.symbols, *self.constants)}
        return sympy.sympify(self.formula, locals=names, evaluate=evaluate)


def read() -> tuple[dict[str, dict[str, Any]], list[Equation]]:
    """Pages by key, and every equation."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return raw["pages"], [Equation(**row) for row in raw["equation"]]
