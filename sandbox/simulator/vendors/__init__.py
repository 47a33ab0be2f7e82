"""One router per vendor; each answers in that vendor's exact shape from the same market."""
