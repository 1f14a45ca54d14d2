"""The report of a run: one page, no request, all of it there without JavaScript."""
