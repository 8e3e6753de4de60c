"""Every error of the product, named by what the caller must do about it."""


class TouchlineError(Exception):
    """Base of all: the message is a sentence for a person."""


class ConfigError(TouchlineError):
    """A setting or an argument is wrong: the message names its key and its value; fix it and start again."""


class Refuse(TouchlineError):
    """The sender must correct the request; `code` is the answer's reason and the metric label."""

    def __init__(self, code: str, detail: str, parameter: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.parameter = parameter


class NotDurable(TouchlineError):
    """The record could not be made durable: the sender must send it again later."""


class DeadLetter(TouchlineError):
    """The record can never be stored: keep it as a reject with `reason` and go on."""

    def __init__(
        self, reason: str, detail: str = "", *, record_id: str | None = None, subject: str | None = None
    ) -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail
        self.record_id = record_id
        self.subject = subject


class LogReplaced(TouchlineError):
    """The log is not the one the stored position belongs to: a person must decide, nothing is read."""


class TooManyRejects(TouchlineError):
    """Too large a share of the log cannot be decoded: stop, so that a bad deploy does not empty it."""


class CorruptJournal(TouchlineError):
    """A journal file holds bytes that no writer of ours can have left there."""
