"""download-lambda: Parquet datasets streamed as CSV, JSON, Parquet and more."""

__version__ = "0.1.0"
