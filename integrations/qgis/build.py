"""The plugin as a zip that QGIS installs (Plugins, Manage and Install Plugins, Install from ZIP).

python integrations/qgis/build.py [FILE.zip]
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

HOME = Path(__file__).resolve().parent / "carbon_sinks"
_DAY = (1980, 1, 1, 0, 0, 0)
"""One date for all files, so that one state of the plugin is one zip."""


def build(path: Path) -> Path:
    """Write the zip and give its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(HOME.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                entry = zipfile.ZipInfo(file.relative_to(HOME.parent).as_posix(), _DAY)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, file.read_bytes())
    return path


if __name__ == "__main__":
    print(build(Path(sys.argv[1] if len(sys.argv) > 1 else "carbon_sinks_qgis.zip")))
