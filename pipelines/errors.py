"""Every way a run can fail, on one screen."""

from sinks.errors import InputError

__all__ = ["InputError", "RunError"]


class RunError(Exception):
    """The inputs were good but the run could not finish (disk full, a block failed, the account did not close).

    The command line prints it and exits with code 1.
    """
