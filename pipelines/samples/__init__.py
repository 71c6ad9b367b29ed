"""Finished runs as maps to draw from, reference samples, plots and official figures held against them."""
