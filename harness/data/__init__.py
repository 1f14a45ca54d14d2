"""Sources of examples behind one schema, their splits, and the generator of embedded data."""
