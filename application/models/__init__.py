"""The frozen values that travel between the rooms."""

from application.models.dataset import (
    NO_WORDS,
    Column,
    Dataset,
    Extents,
    Geometry,
    Label,
    ObjectMeta,
    Part,
    Traits,
    Words,
)
from application.models.query import Area, Dialect, Filter, Order, Period, Query, Shape

__all__ = [
    "NO_WORDS",
    "Area",
    "Column",
    "Dataset",
    "Dialect",
    "Extents",
    "Filter",
    "Geometry",
    "Label",
    "ObjectMeta",
    "Order",
    "Part",
    "Period",
    "Query",
    "Shape",
    "Traits",
    "Words",
]
