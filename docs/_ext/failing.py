"""A command that fails in a notebook fails the build: by itself IPython goes on after `!command`, whatever came of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_STARTUP = """
def _strict(shell):
    plain = shell.system

    def system(command):
        plain(command)
        if shell.user_ns.get("_exit_code") and "|| true" not in command:
            raise RuntimeError(f"exit code {shell.user_ns['_exit_code']}: {command}")

    shell.system = system

_strict(get_ipython())
del _strict
"""


def setup(app: Sphinx) -> dict[str, Any]:
    home = Path(app.outdir).parent / "ipython"
    startup = home / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "00-strict.py").write_text(_STARTUP, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(home)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
