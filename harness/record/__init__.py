"""What a cell leaves behind, and the one table made of all records."""
