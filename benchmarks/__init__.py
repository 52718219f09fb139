"""Benchmarks, one question per module: `python -m benchmarks.<module>`."""
