"""Parquet's GEOMETRY and GEOGRAPHY as Arrow has them: WKB by the name of geoarrow.wkb."""

import json
from typing import Any

import pyarrow as pa

NAME = "geoarrow.wkb"


class WkbType(pa.ExtensionType):  # type: ignore[misc]  # pyarrow has no types
    """WKB with its reference system and edges, as geoarrow's metadata; pyarrow writes GEOMETRY of it."""

    def __init__(self, storage: pa.DataType, metadata: bytes = b"{}") -> None:
        self._metadata = metadata
        super().__init__(storage, NAME)

    def __eq__(self, other: object) -> bool:
        # To pyarrow all of one storage are equal, whatever their reference systems.
        return isinstance(other, WkbType) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[pa.DataType, bytes]:
        return self.storage_type, self._metadata

    def __arrow_ext_serialize__(self) -> bytes:
        return self._metadata

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> "WkbType":
        return cls(storage, serialized)


def wkb_type(storage: pa.DataType, logical_type: str) -> WkbType:
    """The type of a column, from the JSON that pyarrow has for its logical type."""
    said = json.loads(logical_type)
    metadata: dict[str, Any] = {}
    if said.get("crs"):
        metadata["crs"] = _crs(said["crs"])
    if said["Type"] == "Geography":
        metadata["edges"] = said.get("algorithm", "spherical")
    return WkbType(storage, json.dumps(metadata, separators=(",", ":")).encode())


def _crs(text: str) -> Any:
    """PROJJSON as the object it is, any other name as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text
