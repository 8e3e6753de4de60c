"""SKAdNetwork and AdAttributionKit: what is signed, by whom, and what the numbers in it mean."""
