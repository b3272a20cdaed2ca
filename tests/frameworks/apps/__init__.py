"""The same small app in every framework: each file shows only what its framework needs."""
