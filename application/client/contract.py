"""What service and client agree on: where downloads are, and the words that are not HTTP's own."""

# Paths, to be filled in or to be matched with; the alias is what datasets are stored under, too.
DOWNLOAD = "/{dataset}.{extension}"
ALIAS = "/dataset"
CATALOGUE = "/datasets"
DESCRIPTION = "/datasets/{dataset}"
MANIFEST = "/datasets/{dataset}/manifest"
ESTIMATE = "/datasets/{dataset}/estimate"
STATUS = "/datasets/{dataset}/status"
# The one address of that form that is no download: a dataset of this name is under the alias.
OPENAPI = "/openapi.json"
DATASET_DOCUMENT = "/datasets/{dataset}/openapi.json"
# Pages for people: what there is, a dataset's, the form's, and of what takes long.
CATALOGUE_PAGE, DATASET_PAGE = "/", "/{dataset}"
CHOOSE, PROGRESS = "/datasets/{dataset}/choose", "/datasets/{dataset}/download"
ASSET = "/assets/pages/{name}"
ROBOTS, ICON = "/robots.txt", "/favicon.ico"
# What a body of parameters is.
FORM = "application/x-www-form-urlencoded"
KEY_HEADER = "x-api-key"
# Results that are being made, the second for one that is too large for an answer: docs/api.md.
MAKING, PENDING = "making", "export-pending"
