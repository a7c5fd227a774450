"""How demo covers are drawn: shapes, scenes, motifs and type, each from a seeded generator of its own."""
