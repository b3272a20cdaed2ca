"""Other people's test suites, run bare and with every app wrapped; it needs the network for their sources."""
