"""Files of any kind: there whole or not at all, read with the encoding they have."""
