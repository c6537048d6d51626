"""A query as a line of the log can bear it."""

import json

from application.models import Query

MOST_SHOWN_FILTERS = 20
SHOWN_FILTER_LENGTH = 100


def shown_filters(query: Query) -> tuple[str, ...]:
    """What a query asks for but columns, as much as a line of the log can bear: filters, then the rest."""
    asked = query.identity()
    del asked["columns"]
    shown = [
        f"{item['column']}__{item['operator']}={','.join(item['values'])}"
        for item in asked.pop("filters", [])[:MOST_SHOWN_FILTERS]
    ]
    for name, value in asked.items():
        shown.append(f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return tuple(
        text if len(text) <= SHOWN_FILTER_LENGTH else text[: SHOWN_FILTER_LENGTH - 1] + "…" for text in shown
    )
