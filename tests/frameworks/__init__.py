"""One acceptance suite for every framework, through real servers and the sandbox."""
