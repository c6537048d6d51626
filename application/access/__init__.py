"""Who asks, and how much they may have: keys, client addresses, rates, downloads at the same time."""
