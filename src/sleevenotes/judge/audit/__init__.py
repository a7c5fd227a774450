"""The audit: the hunt for leaks and shortcuts."""
