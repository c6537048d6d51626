"""What the function sends itself on Lambda."""

import asyncio

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request

from application.api.dependencies import CurrentService, LambdaDeadline
from application.api.state import client_of

router = APIRouter()


@router.api_route("/events", methods=["GET", "HEAD"], include_in_schema=False)
async def posted_only() -> None:
    """405, where else the page of a dataset of that name would answer."""
    raise HTTPException(405, headers={"Allow": "POST"})


@router.post("/events", include_in_schema=False, response_model=None)
async def events(request: Request, current: CurrentService, deadline: LambdaDeadline) -> dict[str, str]:
    """Take an event that the function sent itself, which the adapter posts here; from nobody else."""
    if not client_of(request.scope).is_function or current.exports is None:
        raise HTTPException(404)
    try:
        await asyncio.to_thread(current.exports.make, await request.json(), deadline)
    except ValueError:
        raise HTTPException(422) from None
    return {"status": "done"}
