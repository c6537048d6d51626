"""Whether the process lives, and whether it can serve."""

from fastapi import APIRouter

from application.api.dependencies import CurrentService

SERVICE = "download-lambda"

router = APIRouter()


@router.api_route("/health", methods=["GET", "HEAD"], response_model=None)
async def health() -> dict[str, str]:
    """The process is alive; nothing is looked at."""
    return {"status": "healthy", "service": SERVICE}


@router.api_route("/ready", methods=["GET", "HEAD"], response_model=None)
async def ready(current: CurrentService) -> dict[str, str]:
    """Storage and engine answer."""
    await current.check()
    return {"status": "ready", "service": SERVICE}
