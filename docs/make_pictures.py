"""Draw the README's picture from a finished run of the sample region.

sinks demo && python docs/make_pictures.py sinks-demo docs/images/demo.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import rasterio
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from sinks.ecosystems import classes


def main(run: Path, out: Path) -> None:
    """Ecosystem classes, total carbon and forest coverage of the counties, side by side."""
    figure, axes = plt.subplots(1, 3, figsize=(15, 5.6), layout="constrained")
    regions = gpd.read_file(run / "assessment.gpkg", layer="regions")
    with rasterio.open(run / "maps" / "ecosystem.tif") as d:
        values, bounds, table = d.read(1), d.bounds, d.colormap(1)
        colors = ListedColormap([np.array(table[i]) / 255 for i in range(256)])
    box = (bounds.left, bounds.right, bounds.bottom, bounds.top)
    axes[0].imshow(np.ma.masked_equal(values, 0), extent=box, cmap=colors, vmin=-0.5, vmax=255.5, interpolation="none")
    present = [c for c in classes().values() if (values == c.code).any()]
    axes[0].legend(
        handles=[Patch(color=c.color, label=c.name_en) for c in present], fontsize=6.5, loc="lower left", ncol=2
    )
    axes[0].set_title("Ecosystem class")
    with rasterio.open(run / "maps" / "carbon_total.tif") as d:
        carbon = np.ma.masked_equal(d.read(1), d.nodata) * d.scales[0]
    image = axes[1].imshow(carbon, extent=box, cmap="YlGn", interpolation="none")
    figure.colorbar(image, ax=axes[1], shrink=0.75, label="Mg C ha⁻¹")
    axes[1].set_title("Total carbon (soil to 100 cm)")
    regions.plot("coverage_pct", cmap="YlGn", legend=True, ax=axes[2], edgecolor="0.3", linewidth=0.5,
                 legend_kwds={"shrink": 0.75, "label": "%"})  # fmt: skip
    axes[2].set_xlim(box[:2])
    axes[2].set_ylim(box[2:])
    axes[2].set_title("Forest coverage by county")
    for ax in axes:
        ax.set_aspect(1 / np.cos(np.radians(22.4)))
        ax.tick_params(labelsize=7)
    figure.suptitle("sinks demo: the synthetic sample region Qinglan", fontsize=13)
    figure.savefig(out, dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
