"""What a download is, without its bytes: how many, their digest, and of which data; produced if need be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from application.downloads.conditions import make_e_tag
from application.errors import DatasetInvalid

if TYPE_CHECKING:
    from application.downloads.answers import Answers
    from application.downloads.plan import Plan, Request

READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """A download's plan and what was found of its bytes, uncoded."""

    plan: Plan
    rows: int
    size: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """The manifest as clients read it; docs/api.md describes each member."""
        plan, dataset = self.plan, self.plan.dataset
        licence = dataset.words.licence
        known = {"licence": licence} if licence else {}
        return {
            "dataset": dataset.name,
            "format": plan.format.extension,
            "e_tag": f'"{plan.e_tag}"',
            "rows": self.rows,
            "bytes": self.size,
            "sha256": self.sha256,
            "source": {
                "e_tag": dataset.e_tag,
                "last_modified": dataset.last_modified.isoformat(),
                "bytes": dataset.size,
            },
            # These two are there for every query.
            "query": {"columns": [], "filters": []} | plan.query.identity(),
            **known,
        }


def manifest_e_tag(plan: Plan) -> str:
    """The ETag of a plan's manifest, without quotes: another text than the download, of the same version."""
    licence = plan.dataset.words.licence
    return make_e_tag(("manifest", plan.e_tag, *((licence,) if licence else ())))


async def make_manifest(answers: Answers, request: Request, plan: Plan) -> Manifest:
    """Make the download, or find it in the spool, and describe it.

    ``request`` is without a coding. The bytes are read to their end, so that a result which is too
    large to keep has a manifest too. Raises what the production raises, and DatasetInvalid where the
    dataset can only be had as it is stored.
    """
    if plan.dataset.fault:
        raise DatasetInvalid(plan.dataset.fault)
    answer = await answers.start(request, plan)
    content = answer.content
    assert content is not None  # noqa: S101 - nothing was asked that leaves it out
    with content:
        hashed = None if content.is_hashed else hashlib.sha256()
        while data := await content.read(READ_BYTES):
            if hashed:
                hashed.update(data)
        digest = hashed.digest() if hashed else content.digest
        # A content ends cleanly only at the end of the whole.
        assert digest is not None  # noqa: S101
        assert content.rows is not None  # noqa: S101
        return Manifest(answer.plan, content.rows, content.position, digest.hex())
