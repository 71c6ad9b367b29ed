"""Runs that end in the midst of their work, on purpose."""

from __future__ import annotations

import pytest

from pipelines.assess import run
from pipelines.assess.study import checked
from pipelines.work import journal


class Stop(BaseException):
    """As sudden as a kill: nothing in the program waits for it."""


def broken_off(monkeypatch, given, out, after):
    """A run that ends as its ``after``-th result is written; the names of those that were."""
    write, seen = journal.Journal.write, []

    def count(self, name, *more):
        if len(seen) == after:
            raise Stop
        seen.append(name)
        write(self, name, *more)

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "write", count)
        with pytest.raises(Stop):
            run.assess(checked({**given, "out": str(out), "workers": 1}))
    return seen
