"""The handlers, a module for each resource, in the order in which the router tries them."""

from application.api.routes import datasets, documents, downloads, events, health, manifest, metrics

# Fixed paths go first: `/openapi.json` is no dataset's, while there is such a document.
ROUTERS = (
    health.router,
    metrics.router,
    events.router,
    documents.router,
    datasets.router,
    downloads.router,
    manifest.router,
)
