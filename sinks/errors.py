"""The one error that the science raises at a user: it names what is wrong, where, and the mend."""


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one sentence a newcomer can act on: what was wanted, where, what was found, what to do.
    The command line prints it and exits with code 2.
    """
