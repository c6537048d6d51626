"""Names to datasets: what lies in storage, and what the footers say of it."""
