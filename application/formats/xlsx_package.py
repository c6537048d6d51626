"""The package of an xlsx: a zip that is written as it comes, and the parts that every workbook has."""

import struct
from dataclasses import dataclass

from isal import isal_zlib

from application.errors import ResultTooLarge
from application.formats.gzip import LAST_BLOCK, coded

# Without zip64, which not every reader of workbooks takes.
MOST_BYTES = 2**32 - 1
# What follows a packed piece of a part: its CRC-32 and its size.
TRAILER = struct.Struct("<IQ")
VERSION = 20
# Sizes and CRC come after the data, for they are known then.
SIZES_FOLLOW = 1 << 3
DEFLATE = 8
# The first day that a zip can tell: no time of its making is in the bytes.
DATE = 0x21

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

SHEETS = ("Data", "About")
SHEET_PARTS = tuple(f"xl/worksheets/sheet{number}.xml" for number in (1, 2))
# By what a cell shows: its index in the styles, and how its number is told.
STYLES = {
    "": "General",
    "name": "General",
    "date": "yyyy\\-mm\\-dd",
    "time": "hh:mm:ss",
    "time.000": "hh:mm:ss.000",
    "moment": "yyyy\\-mm\\-dd\\ hh:mm:ss",
    "moment.000": "yyyy\\-mm\\-dd\\ hh:mm:ss.000",
    "instant": 'yyyy\\-mm\\-dd\\ hh:mm:ss"Z"',
    "instant.000": 'yyyy\\-mm\\-dd\\ hh:mm:ss.000"Z"',
}
STYLE = {name: str(index) for index, name in enumerate(STYLES)}
# Below this numbers of formats are the standard's own.
OWN_FORMATS = 164


@dataclass(slots=True)
class _Part:
    """One file of the zip, as its end has to tell of it."""

    name: bytes
    offset: int
    crc: int = 0
    packed: int = 0
    size: int = 0


class Package:
    """A zip in the making; each method returns the next bytes of it.

    Raises ResultTooLarge where a part or all of it is more than a zip of its first kind can have.
    """

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._position = 0

    def open(self, name: str) -> bytes:
        """Begin a part."""
        part = _Part(name.encode(), self._position)
        self._parts.append(part)
        header = struct.pack(
            "<4s5H3I2H",
            *(b"PK\x03\x04", VERSION, SIZES_FOLLOW, DEFLATE, 0, DATE),
            *(0, 0, 0, len(part.name), 0),
        )
        return self._out(header + part.name)

    def join(self, piece: memoryview) -> bytes:
        """Go on with the part that is open, by a piece that is packed."""
        part, end = self._parts[-1], len(piece) - TRAILER.size
        crc, size = TRAILER.unpack_from(piece, end)
        part.crc = isal_zlib.crc32_combine(part.crc, crc, size)
        part.size += size
        if part.size > MOST_BYTES:
            raise ResultTooLarge(
                f"The rows take more than the {MOST_BYTES:,} bytes that a sheet may have: filter them, "
                "choose columns with field=NAME, or take csv."
            )
        return self._packed(bytes(piece[:end]))

    def close(self) -> bytes:
        """End the part that is open."""
        part, last = self._parts[-1], self._packed(LAST_BLOCK)
        return last + self._out(struct.pack("<4s3I", b"PK\x07\x08", part.crc, part.packed, part.size))

    def add(self, name: str, text: str) -> bytes:
        """Write a part that is whole."""
        return self.open(name) + self.join(memoryview(pack(text.encode()))) + self.close()

    def finish(self) -> bytes:
        """Write the list of the parts."""
        start, count = self._position, len(self._parts)
        listed = b"".join(
            struct.pack(
                "<4s6H3I5H2I",
                *(b"PK\x01\x02", VERSION, VERSION, SIZES_FOLLOW, DEFLATE, 0, DATE),
                *(part.crc, part.packed, part.size, len(part.name), 0, 0, 0, 0, 0, part.offset),
            )
            + part.name
            for part in self._parts
        )
        end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(listed), start, 0)
        return self._out(listed + end)

    def _packed(self, data: bytes) -> bytes:
        self._parts[-1].packed += len(data)
        return self._out(data)

    def _out(self, data: bytes) -> bytes:
        self._position += len(data)
        if self._position > MOST_BYTES:
            raise ResultTooLarge(
                f"The file takes more than {MOST_BYTES:,} bytes: filter its rows, choose columns with "
                "field=NAME, or take csv."
            )
        return data


def pack(data: bytes) -> bytes:
    """Return a piece of a part for ``Package.join``; any thread may, for it depends on no other piece."""
    deflated, crc = coded(data)
    return deflated + TRAILER.pack(crc, len(data))


def opening_parts(package: Package) -> bytes:
    """Write the parts that do not depend on the rows."""
    kinds = {
        "/xl/workbook.xml": "sheet.main",
        **{f"/{name}": "worksheet" for name in SHEET_PARTS},
        "/xl/styles.xml": "styles",
    }
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{TYPES}.{kind}+xml"/>' for name, kind in kinds.items()
    )
    types = (
        f'<Types xmlns="{PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )
    inner = [*(("worksheet", f"worksheets/sheet{number}.xml") for number in (1, 2)), ("styles", "styles.xml")]
    return b"".join(
        package.add(name, DECLARATION + text)
        for name, text in {
            "[Content_Types].xml": types,
            "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
            "xl/_rels/workbook.xml.rels": _relations(inner),
            "xl/styles.xml": _styles(),
        }.items()
    )


def workbook(data: str) -> str:
    """The part that names the sheets, and what of the first one is filtered, such as $A$1:$C$9."""
    sheets = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(SHEETS, 1)
    )
    return (
        f'{DECLARATION}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><bookViews><workbookView/></bookViews>'
        f"<sheets>{sheets}</sheets><definedNames>"
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="0" hidden="1">{SHEETS[0]}!{data}'
        "</definedName></definedNames></workbook>"
    )


def _relations(targets: list[tuple[str, str]]) -> str:
    inner = "".join(
        f'<Relationship Id="rId{number}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{inner}</Relationships>'


def _styles() -> str:
    own = {name: OWN_FORMATS + index for index, name in enumerate(STYLES) if STYLES[name] != "General"}
    quoted = {name: STYLES[name].replace('"', "&quot;") for name in own}
    formats = "".join(
        f'<numFmt numFmtId="{number}" formatCode="{quoted[name]}"/>' for name, number in own.items()
    )
    cells = "".join(
        f'<xf numFmtId="{own.get(name, 0)}" fontId="{int(name == "name")}" fillId="0" borderId="0" xfId="0" '
        f'applyNumberFormat="{int(name in own)}" applyFont="{int(name == "name")}"/>'
        for name in STYLES
    )
    font = '<sz val="11"/><name val="Calibri"/><family val="2"/>'
    return (
        f'<styleSheet xmlns="{MAIN}"><numFmts count="{len(own)}">{formats}</numFmts>'
        f'<fonts count="2"><font>{font}</font><font><b/>{font}</font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(STYLES)}">{cells}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )
