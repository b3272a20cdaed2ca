"""The process around delivery: forks, threads, and event loops."""
