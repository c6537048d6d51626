"""The campaign's table: what was asked, what a client got, whether it was all of it, and how long it took."""

from dataclasses import dataclass, field

from tests.lambda_runtime.invocation import Answer

HEADER = ("case", "status", "bytes", "hash equal", "seconds")


@dataclass(slots=True)
class Table:
    """Rows in the order they were added."""

    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, case: str, answer: Answer, *, is_equal: bool | None = None) -> None:
        """``is_equal`` is whether the body's hash is the one it should be; None where nothing is compared."""
        equal = "–" if is_equal is None else "yes" if is_equal else "NO"
        seconds = f"{answer.seconds:.3f}"
        self.rows.append((case, str(answer.status), f"{len(answer.body):,}", equal, seconds))

    def lines(self) -> list[str]:
        """The table in Markdown."""
        rules = ("---", "---:", "---:", "---", "---:")
        return [f"| {' | '.join(cells)} |" for cells in (HEADER, rules, *self.rows)]
