"""The pages of one service: its templates and assets, a publisher's own before those that come with it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from application.pages import figures
from application.pages.assets import PREFIX, Asset, load_assets

HERE = Path(str(files("application.pages")))
# A publisher's stylesheet, after ours.
BRAND = "brand.css"


class Site:
    """Renders the pages; ``folder`` is PAGES_DIR, which may replace templates and assets one by one."""

    def __init__(self, folder: Path | None = None) -> None:
        places = [HERE, *([folder] if folder else [])]
        self._assets = load_assets(place / "assets" for place in places)
        self._by_address = {asset.name: asset for asset in self._assets.values()}
        loaders = [FileSystemLoader(place / "templates") for place in reversed(places)]
        self._environment = Environment(
            loader=ChoiceLoader(loaders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "number": figures.number,
            "count": figures.count,
            "size": figures.size,
            "day": figures.day,
        }
        self._environment.globals |= {"has_brand": BRAND in self._assets}

    def asset(self, name: str) -> Asset | None:
        """The file that is had under this name."""
        return self._by_address.get(name)

    def own(self, name: str) -> Asset | None:
        """The file of this name of its own."""
        return self._assets.get(name)

    def render(self, template: str, root: str, values: Mapping[str, Any]) -> str:
        """A page; ``root`` is what goes before each path of this service."""

        def asset(name: str) -> str:
            return f"{root}{PREFIX}{self._assets[name].name}"

        return self._environment.get_template(template).render(values, root=root, asset=asset)
