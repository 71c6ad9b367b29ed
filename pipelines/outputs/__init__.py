"""Files that people open in a GIS: Cloud-Optimized GeoTIFFs encoded once, GeoPackages, styles."""
