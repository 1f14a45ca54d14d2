"""The search of rates: what is tried, where, and what was found."""
