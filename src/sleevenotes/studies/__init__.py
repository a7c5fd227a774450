"""Studies: published experiments that can be rerun, and put right."""
