"""A dataset in the words of schema.org, by which search engines know one."""

import json
from typing import Any

from application.formats import FORMATS
from application.models import Dataset
from application.pages.addresses import Addresses


def schema_org(dataset: Dataset, addresses: Addresses, possible: list[str]) -> str:
    """JSON-LD to stand in a page: with no sign in it that ends an element."""
    words, name = dataset.words, dataset.name
    said: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": words.title or name,
        "description": words.description,
        "url": addresses.absolute(addresses.page(name)),
        "license": words.licence,
        "creditText": words.attribution,
        "publisher": {"@type": "Organization", "name": words.publisher} if words.publisher else "",
        "dateModified": dataset.last_modified.isoformat(),
        "distribution": [
            {
                "@type": "DataDownload",
                "encodingFormat": FORMATS[extension].media_type,
                "contentUrl": addresses.absolute(addresses.download(name, extension)),
            }
            for extension in possible
        ],
    }
    text = json.dumps({key: value for key, value in said.items() if value}, ensure_ascii=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
