"""Which column a name means: the very name first, then hyphen and underscore for each other."""

from collections.abc import Collection, Sequence

from application.models import Column
from application.query.values import read_record


class NameProblem(ValueError):
    """A name that may mean more than one column; the message is a sentence."""


def find_columns(name: str, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of that very name, of which a file may have several; else that of another spelling.

    Empty where there is none. Raises NameProblem where the name may be a spelling of two.
    """
    if very := tuple(column for column in columns if column.name == name):
        return very
    alike = tuple(column for column in columns if _spelling(column.name) == _spelling(name))
    if len({column.name for column in alike}) > 1:
        names = " or ".join(repr(column.name) for column in alike)
        raise NameProblem(f"{name!r} may be {names}: say which")
    return alike


def named(texts: Sequence[str], names: Collection[str]) -> list[str]:
    """The names that texts choose, once each: a text is a name itself, else a CSV record of names.

    Empty texts choose nothing. Raises ValueError for what is no record.
    """
    chosen: list[str] = []
    for text in texts:
        is_one = text in names or not ("," in text or '"' in text)
        chosen += [text] if is_one else read_record(text)
    return list(dict.fromkeys(filter(None, chosen)))


def _spelling(name: str) -> str:
    return name.replace("_", "-")
