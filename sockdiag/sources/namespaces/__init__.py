"""Find network namespaces, those that only a socket keeps alive too, and enter them."""
