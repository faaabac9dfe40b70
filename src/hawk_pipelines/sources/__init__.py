"""Where the raw videos and what is known about them come from: one module per source."""
