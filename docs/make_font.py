"""Makes the Chinese font that figures carry: the glyphs of GB 2312 and of our own tables, out of Droid Sans Fallback.

    apt-get install fonts-droid-fallback        # Apache-2.0
    python docs/make_font.py /usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf

GB 2312 holds every character of common place names; with the rarer ones of a user's names, ``sinks.plotting.fonts`` looks
for an installed font and says so where there is none.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

ROOT = Path(__file__).parent.parent
OUT = ROOT / "sinks" / "plotting" / "fonts" / "sinks-cjk.ttf"
NAME = "Sinks CJK"


def gb2312() -> set[str]:
    """Every character of rows 1 to 87 of the standard."""
    pairs = (bytes((a, b)) for a in range(0xA1, 0xF8) for b in range(0xA1, 0xFF))
    return {c for pair in pairs for c in pair.decode("gb2312", errors="ignore")}


def ours() -> set[str]:
    """Every character beyond Latin of our tables and of the sample data."""
    places = [*ROOT.glob("sinks/**/*.csv"), *ROOT.glob("pipelines/**/*.csv"), *ROOT.glob("sample_data/*.csv")]
    return {c for path in places for c in path.read_text(encoding="utf-8-sig") if ord(c) > 0x2E7F}


def main(source: str) -> None:
    font = TTFont(source)
    options = subset.Options(notdef_outline=True, hinting=False, name_IDs=["*"], layout_features=[])
    cutter = subset.Subsetter(options)
    cutter.populate(text="".join(sorted(c for c in gb2312() | ours() if ord(c) > 0x2E7F)))
    cutter.subset(font)
    for record in list(font["name"].names):
        if record.nameID in (1, 3, 4, 6, 16):
            font["name"].setName(
                NAME.replace(" ", "") if record.nameID == 6 else NAME,
                record.nameID, record.platformID, record.platEncID, record.langID,
            )  # fmt: skip
        elif record.nameID == 7:  # "Droid" is a trademark of Google; this is not that font any more
            font["name"].removeNames(nameID=7)
    font["head"].modified = font["head"].created  # the same bytes on every day
    font.recalcTimestamp = False
    OUT.parent.mkdir(parents=True, exist_ok=True)
    font.save(OUT)
    print(f"{OUT}: {OUT.stat().st_size:,} bytes, {len(font.getBestCmap()):,} characters")


if __name__ == "__main__":
    main(sys.argv[1])
