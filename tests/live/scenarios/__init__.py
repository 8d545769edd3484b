"""Real conditions of sockets, healthy and bad, each in a network namespace of its own."""
