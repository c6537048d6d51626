"""What schemathesis does to each request of its own: its configuration names this module."""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    """Leave out values that an address cannot hold: their text may be a value of a column of text."""
    asked = query.items() if isinstance(query, dict) else ()
    return all(name == "filters" or _is_said(value) for name, value in asked)


def _is_said(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return not any(item is None or isinstance(item, dict | list) for item in items)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Leave a column, as the document says in words, and accept the codings that this client reads."""
    for asked in (case.query, case.body):
        if not isinstance(asked, dict):
            continue
        chosen, excluded = asked.get("field"), asked.get("exclude_field")
        both = isinstance(chosen, list) and isinstance(excluded, list)
        if both and chosen and all(name in excluded for name in chosen):
            del asked["exclude_field"]
    coding = (case.headers or {}).get("Accept-Encoding")
    if isinstance(coding, str) and "zstd" in coding:
        case.headers["Accept-Encoding"] = coding.replace("zstd", "gzip")
