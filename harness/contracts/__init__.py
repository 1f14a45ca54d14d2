"""The three contracts (method, task, paper), the run configuration, and how folders are discovered."""
