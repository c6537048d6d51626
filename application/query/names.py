"""Which column a name means: the very name first, then hyphen and underscore for each other."""

from collections.abc import Container, Iterable, Sequence

from application.models import Column
from application.query.values import read_record


class NameProblem(ValueError):
    """A name that may mean more than one column; the message is a sentence."""


class ColumnNames:
    """The columns of a dataset by their names; a name that several have means all of them."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._by_name: dict[str, tuple[Column, ...]] = {}
        self._by_spelling: dict[str, tuple[Column, ...]] = {}
        for column in columns:
            for known, name in ((self._by_name, column.name), (self._by_spelling, _spelling(column.name))):
                known[name] = (*known.get(name, ()), column)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def find(self, name: str) -> tuple[Column, ...]:
        """The columns of that very name; else those of the one name that it is another spelling of.

        Empty where there is none. Raises NameProblem where the name may be a spelling of two.
        """
        if found := self._by_name.get(name):
            return found
        alike = self._by_spelling.get(_spelling(name), ())
        if len({column.name for column in alike}) > 1:
            names = " or ".join(repr(column.name) for column in alike)
            raise NameProblem(f"{name!r} may be {names}: say which")
        return alike


def reached(name: str, names: ColumnNames) -> Column | None:
    """The one column that a name reaches; None where it reaches none, or may be several."""
    try:
        found = names.find(name)
    except NameProblem:
        return None
    return found[0] if len(found) == 1 else None


def named(texts: Sequence[str], names: Container[str]) -> list[str]:
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
