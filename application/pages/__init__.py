"""What people see: view models, templates and assets; it knows no request."""
