"""Why something that was asked is not done: each refusal names the field that is wrong. Pure."""

from schemas.errors import ConfigError, TouchlineError


class Refused(TouchlineError):
    """What was asked cannot be done: `field` names what is wrong, None when it is nothing that was said."""

    def __init__(self, field: str | None, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}" if field else sentence)
        self.field = field
        self.sentence = sentence


class Invalid(Refused, ConfigError):
    """Wrong by itself, whatever stands; `rest` goes on where the name of the field ends."""

    def __init__(self, field: str, rest: str) -> None:
        super().__init__(field, f"{field} {rest}")
        self.args = (f"{field.replace('_', '-')} {rest}",)  # the shell's word for it


class Conflict(Refused):
    """Right by itself, and what stands does not allow it."""

    def __init__(self, field: str | None, sentence: str) -> None:
        super().__init__(field, sentence)
        self.args = (sentence,)


class Missing(Refused):
    """There is no such thing; `field` when it was mentioned in what was asked."""

    def __init__(self, kind: str, subject: str, field: str | None = None) -> None:
        super().__init__(field, f"{kind} {subject!r} does not exist.")
        self.args = (f"{kind} {subject!r} does not exist; `touchline {kind} list` names those that do.",)
