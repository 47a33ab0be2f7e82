"""The one kind of error that the sandbox shows to people."""


class SandboxError(Exception):
    """Something a person can put right; the message is one line and says how."""
