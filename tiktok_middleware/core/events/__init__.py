"""Events: names, ids, and parameters, validated."""
