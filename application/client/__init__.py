"""The client's side of a service: fetch and verify."""
