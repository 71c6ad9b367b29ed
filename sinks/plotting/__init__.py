"""Figures for print, drawn from arrays and tables with matplotlib, which is asked for only when a figure is drawn."""
