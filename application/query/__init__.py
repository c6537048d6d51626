"""Parameters and a schema to a query, and a query to SQL."""
