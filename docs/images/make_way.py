"""Draw the way of the data (way.svg), the picture of the architecture page: python docs/images/make_way.py"""

from pathlib import Path

BOXES = [  # x, y, width, title, line below, colour
    (10, 20, 150, "Your files", "rasters, tiles, polygons", "#e8f1e4"),
    (200, 20, 150, "Layers, one grid", "CRS, unit, nodata, area", "#e8f1e4"),
    (390, 20, 150, "Blocks", "plain values, no handles", "#e8f1e4"),
    (580, 20, 190, "One pass over a block", "class → stratum → pieces", "#cfe3f5"),
    (580, 130, 190, "Partial account", "Σ area, Σ x, Σ x², exact", "#cfe3f5"),
    (390, 130, 150, "Account", "region × class × pool", "#cfe3f5"),
    (200, 130, 150, "How sure", "coefficients, map errors", "#cfe3f5"),
    (10, 130, 150, "Targets, views", "probability, headings", "#cfe3f5"),
    (580, 240, 190, "Maps", "tiles encoded once, COG", "#f7e6cf"),
    (
        10,
        240,
        530,
        "Outputs, all of them or none",
        "GeoPackage, tables, report, manifest with digests and sources",
        "#f7e6cf",
    ),
]
ARROWS = [
    (160, 45, 200, 45), (350, 45, 390, 45), (540, 45, 580, 45), (675, 70, 675, 130), (580, 155, 540, 155), (390, 155, 350, 155),
    (200, 155, 160, 155), (85, 180, 85, 240), (275, 180, 275, 240), (465, 180, 465, 240), (580, 265, 540, 265),
]  # fmt: skip
TABLES = (92, "coefficients with sources: tables of sinks", 577)


def svg() -> str:
    tip = '<path d="M0,0 L8,4 L0,8 z" fill="#555"/>'
    size = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"'
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 310" font-family="sans-serif" font-size="13">',
        f'<defs><marker id="a" {size}>{tip}</marker></defs>',
        '<rect width="780" height="310" fill="#ffffff"/>',
    ]
    for x, y, width, title, below, colour in BOXES:
        middle = x + width / 2
        parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="50" rx="6" fill="{colour}" stroke="#777"/>')
        parts.append(
            f'<text x="{middle}" y="{y + 21}" text-anchor="middle" font-weight="bold" fill="#222">{title}</text>'
        )
        parts.append(f'<text x="{middle}" y="{y + 39}" text-anchor="middle" font-size="11" fill="#333">{below}</text>')
    for x1, y1, x2, y2 in ARROWS:
        parts.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#555" stroke-width="1.5" marker-end="url(#a)"/>'
        )
    parts.append('<path d="M770,45 H776 V265 H772" fill="none" stroke="#555" stroke-width="1.5" marker-end="url(#a)"/>')
    top, text, right = TABLES
    line = f"M{right - 180},{top + 5} H{right + 60} V72"
    parts.append(f'<path d="{line}" fill="none" stroke="#555" stroke-dasharray="4 3" marker-end="url(#a)"/>')
    said = f'font-size="11" font-style="italic" fill="#333">{text}'
    parts.append(f'<text x="{right - 186}" y="{top + 9}" text-anchor="end" {said}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("way.svg").write_text(svg(), encoding="utf-8")
