"""The prog study, and the answer to the question on which it ended."""
