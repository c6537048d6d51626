"""The handlers, a module for each resource, in the order in which the router tries them."""

from application.api.routes import (
    datasets,
    documents,
    downloads,
    estimate,
    events,
    health,
    manifest,
    metrics,
    pages,
)

# Fixed paths go first: `/openapi.json` is no dataset's, while there is such a document.
ROUTERS = (
    health.router,
    metrics.router,
    events.router,
    documents.router,
    datasets.router,
    pages.router,
    downloads.router,
    manifest.router,
    pages.dataset_router,
    estimate.router,
)
