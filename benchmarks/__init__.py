"""Load programs: what one edge carries, how long an answer takes, how far the whole path keeps up."""
