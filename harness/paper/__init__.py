"""Papers answered: their tables beside ours, and their claims."""
