"""Apple's postbacks: verified, judged, stored."""
