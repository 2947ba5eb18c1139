"""The one exception of the API: an error code and its parameters, as every XAPI client sees them."""


class Failure(Exception):
    """An API error; ``params`` are strings and travel after the code in ErrorDescription."""

    def __init__(self, code: str, *params: str) -> None:
        super().__init__(code, *params)
        self.code = code
        self.params = params

    @property
    def description(self) -> list[str]:
        """The wire form: code first, then the parameters."""
        return [self.code, *self.params]


def internal(exception_text: str) -> Failure:
    """What xapi answers for an exception that is no API error: INTERNAL_ERROR with its printed form."""
    return Failure("INTERNAL_ERROR", exception_text)


def marshalling(text: str) -> Failure:
    """An argument of the wrong type, in the words of OCaml's exception printer."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return internal('Failure("%s")' % quoted)
