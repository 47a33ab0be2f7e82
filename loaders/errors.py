"""Errors that a user meets; each message is one line that says what to do."""


class LoaderError(Exception):
    """Base of all errors that end a load with a clear line instead of a traceback."""


class UsageError(LoaderError):
    """The command was used wrongly (exit code 2)."""


class DatabaseError(LoaderError):
    """The database cannot be reached or written (exit code 1)."""


class MixedDataError(LoaderError):
    """Sample data was about to meet a real database, or the reverse (exit code 1)."""


class AnswerRejectedError(LoaderError):
    """An answer that cannot be read as the vendor's format; it is kept whole in `raw.rejected_payloads`."""


class RequestFailedError(LoaderError):
    """One request failed for good after its retries; the cell is asked again by the next run."""


class SourceStoppedError(LoaderError):
    """The vendor refuses all further requests (quota, token, block): this source ends, others go on."""


class NotOfferedError(LoaderError):
    """The vendor does not offer this kind of question to this account: what else it offers is asked for all the same."""


class TokenRefusedError(LoaderError):
    """The access token is refused: a new one is needed, and the question has to be asked again."""


class HostBlockedError(SourceStoppedError):
    """The vendor has blocked us: its host is left alone for a day, since every further request prolongs the block."""
