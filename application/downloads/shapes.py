"""How a plan's geometry is written: what the format asks for, what the query chose, how exact that is."""

from dataclasses import replace

from application.errors import ColumnUnsupported
from application.formats import Format
from application.geometry import WGS84
from application.geometry.columns import geoarrow_encoding
from application.models import Dataset, Query, Shape

# Whose values are a feature's id where no words name another; that of planning data.
DEFAULT_KEY = "entity"


def shape_of(dataset: Dataset, chosen: Format) -> Shape | None:
    """How a format has a dataset's geometry unless a query says otherwise; None where it knows of none."""
    geometry = dataset.geometry
    if geometry is None or not (chosen.wkt or chosen.geometry):
        return None
    column = next(column for column in dataset.columns if column.name == geometry.column)
    if not chosen.geometry:
        # The engine makes text of what it knows for WKB; the rest has to be read here.
        has_text = geometry.encoding == "wkt" or column.traits.geometry
        return Shape(geometry, "stored" if has_text else "wkt")
    if chosen.textual and column.traits.geometry:
        geometry = replace(geometry, encoding="wkt")
    return Shape(geometry, "feature", chosen.crs, dataset.words.key or DEFAULT_KEY if chosen.keyed else "")


def with_geometry(dataset: Dataset, query: Query, chosen: Format) -> Query:
    """The query with the geometry that rows are to have as features; raises ColumnUnsupported."""
    from application.formats.features import check_names
    from application.geometry.systems import change

    shape = query.shape
    if shape is None:
        raise ColumnUnsupported(
            f"{chosen.extension} is for datasets with a geometry column, and this one has none; choose "
            "another format, such as csv or json."
        )
    name, columns = shape.geometry.column, query.columns
    if all(column.name != name for column in columns):
        columns = (*columns, *(column for column in dataset.columns if column.name == name))
    if not any(column.name == shape.key for column in columns):
        shape = replace(shape, key="")
    shape = replace(shape, ordered=chosen.reorders and bool(query.order))
    check_names(columns, shape, chosen.extension)
    if shape.crs and not shape.geometry.crs:
        raise ColumnUnsupported(
            f"Nothing says which reference system column {name!r} is in, so {chosen.extension} cannot have "
            "it; choose another format, such as csv or json."
        )
    try:
        change(shape.geometry.crs, shape.crs or shape.geometry.crs)
    except ValueError as error:
        raise ColumnUnsupported(
            f"Column {name!r} is in a reference system that is not known: {error}."
        ) from error
    return replace(query, columns=columns, shape=shape)


def makers_of(query: Query, chosen: Format) -> tuple[str, ...]:
    """The distributions that decide the bytes of geometry columns beside the format's writers."""
    shape = query.shape
    if shape is None:
        is_told = chosen.wkt and any(geoarrow_encoding(column.field) for column in query.columns)
        return ("shapely",) if is_told else ()
    is_moved = shape.crs not in ("", shape.geometry.crs)
    # The words of a reference system are of PROJ's version, too.
    is_described = shape.form == "feature" and (shape.crs or shape.geometry.crs) != WGS84
    return ("shapely", *(("pyproj", "convertbng") if is_moved or is_described else ()))


def crs_accuracy(shape: Shape | None) -> str:
    """To how many metres the geometry is right in another reference system, where that is past one."""
    if shape is None or shape.crs in ("", shape.geometry.crs):
        return ""
    from application.geometry.systems import change

    accuracy = change(shape.geometry.crs, shape.crs).accuracy
    if accuracy is None:
        return "unknown"
    return f"{accuracy:g}" if accuracy > 1 else ""


def crs_words(shape: Shape | None) -> str:
    """How the geometry came into another reference system, and how exactly; empty where it did not."""
    if shape is None or shape.crs in ("", shape.geometry.crs):
        return ""
    from application.geometry.systems import change

    by = change(shape.geometry.crs, shape.crs)
    accuracy = "unknown accuracy" if by.accuracy is None else f"accuracy {by.accuracy:g} m"
    return f"{shape.crs} by {by.operation}, {accuracy}"
