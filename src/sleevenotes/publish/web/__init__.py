"""The page and the API: `sleevenotes serve`. The only package that knows FastAPI."""
