"""Maps of finished runs in the formats of other communities: CF NetCDF and Zarr, and catalogues of runs."""
