"""Geometry: which column it is, reading it, areas that rows lie in, reference systems; shapely is here alone."""
