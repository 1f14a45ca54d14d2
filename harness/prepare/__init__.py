"""What is done to a backbone before it sees the target domain."""
