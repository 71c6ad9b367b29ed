"""Pieces of work on threads or a cluster, in a folder that outlives a crash."""
