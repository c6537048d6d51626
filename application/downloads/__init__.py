"""The use case, for HTTP and the command line alike: a request fitted to its dataset, and its bytes."""
