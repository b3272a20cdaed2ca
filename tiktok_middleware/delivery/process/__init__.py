"""Process-level support of delivery: forks, threads, and event loops."""
