# The service's settings. This file and variables.tf need no provider: tests/deployment evaluates them by themselves.

locals {
  mebibyte = 1048576

  # s3://bucket/root/prefix/dataset.parquet
  dataset_root     = trim(var.dataset_root, "/")
  dataset_location = local.dataset_root == "" ? var.dataset_bucket : "s3://${var.dataset_bucket}/${local.dataset_root}"
  dataset_keys     = join("/", compact([local.dataset_root, trim(var.dataset_prefix, "/")]))

  # An environment of the function runs one request at a time, so one production has its memory and disk alone.
  # The rest of the memory is Python's, pyarrow's and polars'. What the service knows itself on Lambda (200 MB,
  # the invocation's deadline, its name) is not told here.
  settings = merge(
    {
      DATASET_BUCKET      = local.dataset_location
      DATASET_PREFIX      = var.dataset_prefix
      ENVIRONMENT         = var.environment
      DUCKDB_MEMORY_LIMIT = "${floor(var.memory_mb * 0.35)}MiB"
      DUCKDB_TEMP_LIMIT   = "${floor(var.ephemeral_storage_mb * 0.25)}MiB"
      PRODUCTION_LIMIT    = "1"
      PRODUCTION_MEMORY   = tostring(floor(var.memory_mb * 0.4) * local.mebibyte)
      PRODUCTION_SECONDS  = tostring(var.timeout_seconds - 15)
      SPOOL_MAX_RESULT    = tostring(floor(var.ephemeral_storage_mb * 0.45) * local.mebibyte)
      SPOOL_MAX_BYTES     = tostring(floor(var.ephemeral_storage_mb * 0.2) * local.mebibyte)
    },
    var.dataset_region == null ? {} : { DATASET_REGION = var.dataset_region },
    var.export_bucket ? { EXPORT_BUCKET = local.export_bucket } : {},
    var.settings,
  )
}
