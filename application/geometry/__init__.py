"""Geometry: which column it is, reading and writing it, reference systems; shapely is here alone."""

# Longitude first, as everywhere here.
WGS84 = "EPSG:4326"
