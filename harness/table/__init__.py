"""What is made of the records: statistics, tables, leaderboards and figures."""
