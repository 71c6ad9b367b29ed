"""From what a user has to a block of values on one grid: rasters, tiles, polygons."""
