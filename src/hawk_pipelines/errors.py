"""The root of every error that a user can mend."""


class HawkError(Exception):
    """Something the user can put right. Its message says in full sentences what was found, where, and what to do."""
