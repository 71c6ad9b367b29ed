"""Carbon Sinks: what the land stores, measured from maps and held against targets."""

__version__ = "0.1.0"
