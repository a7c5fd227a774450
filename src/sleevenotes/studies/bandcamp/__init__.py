"""The Bandcamp study: ten genres by colour, classical methods, small and large networks, and transfer."""
