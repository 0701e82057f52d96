"""Everything on one laptop: `forebay local`."""
