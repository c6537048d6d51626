"""Where rows are to be, as somebody chooses it: a box by its four sides, or an area by its name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from application.downloads.regions import Region
from application.models import Query
from application.pages.words import listed
from application.query.area import BBOX, BBOX_CRS, reference_of

# Controls. The box's are in the order of `bbox`.
SIDES = ("west", "south", "east", "north")
AREA, REGION, REGION_NAME, RELATION = "area", "region", "region-name", "relation"
WITHIN, INTERSECTS = "within", "intersects"
# A relation that nobody touched is the first; its value is empty, for then nothing is sent.
RELATION_WORDS = {"": "inside it", INTERSECTS: "touching it"}

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What the controls say, as text.

    ``area`` is DATASET:REFERENCE; a dataset as ``region``, and a ``name`` in it, say it otherwise.
    """

    box: tuple[str, ...] = ("", "", "", "")
    relation: str = ""
    area: str = ""
    region: str = ""
    name: str = ""

    @classmethod
    def of_query(cls, query: Query) -> Self:
        """What a query chooses that the controls can say: one box in WGS 84, and one area of a dataset."""
        found = cls()
        for item in query.areas:
            if item.relation == BBOX and not item.crs:
                found = replace(found, box=tuple(item.text.split(",")))
            elif not found.area and reference_of(item.relation, item.text):
                relation = "" if item.relation == WITHIN else item.relation
                found = replace(found, relation=relation, area=item.text)
        return found

    @classmethod
    def of_controls(cls, one: Callable[[str], str]) -> Self:
        """What the controls were sent with."""
        relation = one(RELATION)
        return cls(
            tuple(one(side) for side in SIDES),
            relation if relation in RELATION_WORDS else "",
            one(AREA),
            one(REGION),
            one(REGION_NAME),
        )

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The parameters that they mean."""
        box = ((BBOX, ",".join(self.box)),) if any(self.box) else ()
        text = self.area or (f"{self.region}:{self.name}" if self.region and self.name else "")
        return (*box, *(((self.relation or WITHIN, text),) if text else ()))

    @property
    def replaced(self) -> frozenset[str]:
        """The parameters that they say, beside which none that was carried along may stand."""
        said = {name for name, _ in self.pairs}
        return frozenset(said | {BBOX_CRS} if BBOX in said else said)

    def problems(self) -> list[Pair]:
        """What is wrong before any parameter is read: by the control's name."""
        found = []
        if any(self.box) and not all(self.box):
            missing = [side for side, text in zip(SIDES, self.box, strict=True) if not text]
            is_are = "is" if len(missing) == 1 else "are"
            found.append(
                (missing[0], f"a box needs all four sides: {listed(missing, 'and')} {is_are} missing")
            )
        if self.name and not self.region:
            found.append((REGION, f"choose what {self.name!r} is"))
        if self.region and not self.name:
            found.append((REGION_NAME, "type the name of the area"))
        if self.area and self.name:
            found.append((REGION_NAME, "choose one area: from the list, or by its name"))
        return found


NOWHERE = Whereabouts()


@dataclass(frozen=True, slots=True)
class Choice:
    """One area to choose, or one dataset of areas."""

    value: str
    words: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    """The controls: the box's sides, ``lists`` of areas by their dataset's title, and other ``regions``.

    ``problems`` are by control.
    """

    sides: tuple[Pair, ...]
    lists: tuple[tuple[str, tuple[Choice, ...]], ...]
    regions: tuple[Choice, ...]
    name: str
    relations: tuple[Choice, ...]
    problems: Mapping[str, str]


def make_where(chosen: Whereabouts, regions: Sequence[Region], problems: Mapping[str, str]) -> Where:
    """The controls with what was chosen; ``problems`` are by parameter, or by control."""
    area, region, name = chosen.area, chosen.region, chosen.name
    dataset, _, reference = area.partition(":")
    known = {item.dataset: item.names for item in regions if item.names}
    if area and reference not in known.get(dataset, {}):
        # Chosen by its name, as it was typed before.
        area, region, name = "", dataset, reference
    lists = tuple((item.title, tuple(_areas(item, area))) for item in regions if item.names)
    others = [item for item in regions if not item.names]
    if region and not any(item.dataset == region for item in others):
        others.append(Region(region, region))
    return Where(
        tuple((side, text.removesuffix(".0")) for side, text in zip(SIDES, chosen.box, strict=True)),
        lists,
        tuple(Choice(item.dataset, item.title, item.dataset == region) for item in others),
        name,
        tuple(Choice(value, words, value == chosen.relation) for value, words in RELATION_WORDS.items()),
        dict.fromkeys((*SIDES, AREA, REGION, REGION_NAME), "")
        | {control_of(name, chosen): detail for name, detail in problems.items()},
    )


def _areas(region: Region, chosen: str) -> Iterable[Choice]:
    names = sorted((region.names or {}).items(), key=lambda item: item[1].casefold())
    for reference, name in names:
        value = f"{region.dataset}:{reference}"
        yield Choice(value, name, value == chosen)


def control_of(parameter: str, chosen: Whereabouts) -> str:
    """The control that a parameter, or a problem of its own, came from; empty for others."""
    if parameter in (*SIDES, REGION, REGION_NAME, AREA):
        return parameter
    if parameter == BBOX:
        return SIDES[0]
    if parameter in (WITHIN, INTERSECTS) and chosen.pairs:
        return AREA if chosen.area else REGION_NAME
    return ""
