"""The engine: it samples a system once or more, judges what it saw, and knows nothing about command lines."""
