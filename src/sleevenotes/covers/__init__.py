"""What a cover is: pixels, genres, the dataset that holds it, and its split."""
