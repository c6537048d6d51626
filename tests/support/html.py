"""Pages as values: their links, forms and texts, read by another parser than a browser's."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

VOID = {"meta", "link", "input", "br", "hr", "img"}


@dataclass(slots=True)
class Element:
    """One element: its tag, attributes, children and text in their order."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def all(self, tag: str = "", **attributes: str) -> list["Element"]:
        """Those inside with a tag and attributes; `class_` for `class`, `data_x` for `data-x`."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        found = []
        for child in self.children:
            if isinstance(child, Element):
                fits = all(child.attributes.get(name) == value for name, value in wanted.items())
                found += [child] if fits and tag in {"", child.tag} else []
                found += child.all(tag, **attributes)
        return found

    def one(self, tag: str = "", **attributes: str) -> "Element":
        (found,) = self.all(tag, **attributes)
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(text: str) -> Element:
    """A page; every element that is opened is closed."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [reader.root]
    return reader.root


def sent(form: Element, **changed: str) -> str:
    """The address that a form leads to as it stands, but for controls that are changed."""
    pairs: list[tuple[str, str]] = []
    for control in (item for item in form.all() if item.tag in {"input", "select"}):
        name = control.attributes.get("name")
        if not name:
            continue
        if control.tag == "select":
            options = control.all("option")
            chosen = [option for option in options if "selected" in option.attributes] or options[:1]
            value = chosen[0].attributes["value"]
        elif control.attributes.get("type") in {"checkbox", "radio"}:
            if "checked" not in control.attributes:
                continue
            value = control.attributes["value"]
        else:
            value = control.attributes.get("value", "")
        pairs.append((name, changed.pop(name, value)))
    assert not changed, changed
    return f"{form.attributes['action']}?{urlencode(pairs)}"
