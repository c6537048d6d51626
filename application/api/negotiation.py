"""Accept-Encoding to a coding."""

from collections.abc import Iterable

from application.errors import CodingUnacceptable
from application.formats.compression import CODINGS, IDENTITY

ALIASES = {"x-gzip": "gzip"}


def choose_coding(
    accept_encoding: str | None, offered: Iterable[str] = CODINGS, *, in_parts: bool = False
) -> str:
    """The coding of those offered for a request's Accept-Encoding (RFC 9110, 12.5.3).

    Without the header nothing is coded: a client that names no coding may not know any. Nor is what is
    read ``in_parts``, unless it has to be. Raises CodingUnacceptable.
    """
    if accept_encoding is None:
        return IDENTITY
    weights = _weights(accept_encoding)
    anything = weights.get("*")
    best, best_weight = "", 0.0
    for coding in offered:
        weight = weights.get(coding, anything or 0.0)
        if weight > best_weight:
            best, best_weight = coding, weight
    # Identity is acceptable unless it is refused by name or by `*;q=0`.
    identity = weights.get(IDENTITY, anything if anything == 0 else None)
    if in_parts and identity != 0:
        return IDENTITY
    if best and (identity is None or best_weight >= identity):
        return best
    if identity == 0:
        ways = [*offered, IDENTITY]
        raise CodingUnacceptable(f"Accept {' or '.join(ways)}: there is no other coding here.")
    return IDENTITY


def _weights(header: str) -> dict[str, float]:
    """Each coding named and its weight; a weight that is no number counts as none given."""
    weights = {}
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = min(max(float(parameter[2:]), 0.0), 1.0)
                except ValueError:
                    continue
        if name:
            weights[ALIASES.get(name, name)] = weight
    return weights
