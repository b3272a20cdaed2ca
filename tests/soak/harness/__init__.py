"""What is loaded into another project's test run; it imports nothing of our own tests, whose name theirs takes."""
